"""Money of a move: retention, ramp, cash flow, net present value, payback, break-even retention."""
