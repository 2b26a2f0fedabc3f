"""What stands for an optional column or cell that the file leaves out."""

from typing import Any

import numpy as np
import pandas as pd

from siteplanner.tables import Column, Table

# What stands for an optional column that is absent or empty. What the format catalogue or a model supplies is
# left missing here.
FILLINGS: dict[tuple[str, str], object] = {
    ("branches", "format"): "standard",
    ("branches", "atms"): 0.0,
    ("branches", "hours_per_week"): 40.0,
    ("branches", "rating"): "B",
    ("counties", "prefecture"): "region",
    ("competitors", "bank"): "other",
    ("competitors", "class"): "big",
    ("developments", "kind"): "commodity",
    ("service_points", "kind"): "agent",
    ("tickets", "class"): "general",
    ("customers", "customers"): 1.0,
}


def filled(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Add absent columns and fill the blanks of optional ones, as `tables` says."""
    columns = {}
    for column in table.columns:
        if column.kind == "geometry":
            continue
        values = frame[column.name] if column.name in frame else _blank(column, frame.index)
        values = values.astype("str") if column.kind == "text" else values
        filling = FILLINGS.get((table.name, column.name))
        if filling is not None:
            values = values.where(values.notna() & (values != ""), filling)
        columns[column.name] = values
    if table.name == "sites":
        columns["name"] = columns["name"].where(columns["name"] != "", columns["site_id"])
    return pd.DataFrame(columns, index=frame.index)


def _blank(column: Column, index: pd.Index) -> "pd.Series[Any]":
    if column.kind == "text":
        return pd.Series("", index=index, dtype="str")
    if column.kind == "bool":
        return pd.Series(data=False, index=index, dtype=bool)
    if column.kind in {"date", "time"}:
        return pd.Series(pd.NaT, index=index, dtype="datetime64[us]")
    return pd.Series(np.nan, index=index, dtype=float)
