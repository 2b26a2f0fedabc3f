"""Big layers in, cell-sized tables out."""
