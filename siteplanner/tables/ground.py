"""Tables of the ground as it is: cells, demand, access and the market."""

from siteplanner.tables.inputs import PLACED, lonlat, opening
from siteplanner.tables.names import AGES, SEGMENTS, SETTLEMENTS
from siteplanner.tables.schema import Column, Table

_WHO = dict(zip(SEGMENTS, ("aged 18-34", "aged 35-59", "aged 60+", "of small businesses"), strict=True))

CELLS = Table("cells", "cell_id", "lattice cells of the region, sorted by id", (
    Column("row", "int", "", "lattice row, from the south", 0),
    Column("col", "int", "", "lattice column, from the west", 0),
    *lonlat(),
    Column("county_id", "text", "", "county of the centre, nearest county for a border cell"),
))  # fmt: skip

PARTS = Table("parts", "", "people of a cell by the county they live in", (
    Column("cell_id", "int", "", "cell"),
    Column("county_id", "text", "", "county"),
    Column("residents", "float", "1", "residents", 0),
    Column("residents_earlier", "float", "1", "residents of the earlier raster", 0),
    Column("aged_60", "float", "1", "residents aged 60 and over", 0),
))  # fmt: skip

DEMAND = Table("demand", "cell_id", "who might come, by cell", (
    Column("residents", "float", "1", "residents in the raster's year", 0),
    Column("residents_earlier", "float", "1", "residents in the earlier year; equal to residents without it", 0),
    Column("aged_60", "float", "1", "residents aged 60 and over; 0 without that raster", 0),
    Column("work", "float", "1", "mean people present on a weekday 09-17, spread over demand.footfall_spread_m", 0),
    Column("leisure", "float", "1", "mean people present at the weekend 09-17, spread alike", 0),
    Column("moved_in", "float", "1", "people in developments by the plan year beyond the raster", 0),
    Column("pipeline_households", "float", "1", "households handed over after the plan year, within the horizon", 0),
    Column("density_per_km2", "float", "1/km2", "residents and people moved in, mean of 3 x 3 km around the cell", 0),
    Column("settlement", "text", "", "settlement class", values=SETTLEMENTS),
    Column("growth_per_year", "float", "1/year", "growth of residents within 1 km between the two years"),
    Column("people_gained", "float", "1", "residents gained within 1 km between the two years"),
    Column("pipeline_near", "float", "1", "pipeline households within 1 km", 0),
    Column("visits_per_day", "float", "1/day", "branch visits per business day, all banks and digital-only", 0),
    Column("potential_wan", "float", "10,000 CNY", "household deposits", 0),
))  # fmt: skip

DEMAND_SEGMENTS = Table("demand_segments", "cell_id", "who they are, by cell", (
    *(Column(f"people_{age}", "float", "1", f"residents and people moved in, {_WHO[age]}", 0) for age in AGES),
    Column("businesses", "float", "1", "small businesses, where people are by day", 0),
    *(Column(f"visits_{name}", "float", "1/day", f"branch visits per business day, {_WHO[name]}", 0) for name in SEGMENTS),
    *(Column(f"potential_{age}_wan", "float", "10,000 CNY", f"household deposits, {_WHO[age]}", 0) for age in AGES),
    Column("potential_business_wan", "float", "10,000 CNY", "deposits of small businesses, not among the household deposits", 0),
))  # fmt: skip

FORECAST = Table("forecast", "", "demand without any move, by county and year; year 0 is the plan year", (
    Column("county_id", "text", "", "county"),
    Column("year", "int", "year", "year of which the end is told", 1900, 2200),
    Column("people", "float", "1", "residents and people moved in", 0),
    Column("visits_per_day", "float", "1/day", "branch visits per business day, all banks and digital-only", 0),
    *(Column(f"visits_{name}", "float", "1/day", f"branch visits per business day, {_WHO[name]}", 0) for name in SEGMENTS),
    Column("potential_wan", "float", "10,000 CNY", "household deposits", 0),
    Column("potential_business_wan", "float", "10,000 CNY", "deposits of small businesses, not among the household deposits", 0),
    Column("visits_own", "float", "1/day", "of the visits, those of own branches at today's shares", 0),
    Column("deposits_own_wan", "float", "10,000 CNY", "of the household deposits, those of own branches at today's shares", 0),
))  # fmt: skip

FORECAST_CELLS = Table("forecast_cells", "cell_id", "demand without any move at the end of the horizon, by cell", (
    Column("visits_horizon", "float", "1/day", "branch visits per business day in the last year of the horizon", 0),
    Column("potential_horizon_wan", "float", "10,000 CNY", "household deposits in the last year of the horizon", 0),
))  # fmt: skip

OUTLETS = Table("outlets", "outlet_id", "service points of all banks: ours first, then rivals, each sorted by id", (
    Column("own", "bool", "", "ours"),
    *lonlat(),
    *PLACED,
    Column("attractiveness", "float", "1", "A_j of the choice model to the power alpha; the mean of all outlets is 1 where alpha is 1", 0),
    Column("counter_hours", "float", "h/week", "counter-hours a week, devices at half", 0),
    *opening(),
))  # fmt: skip

ACCESS = Table("access", "cell_id", "service within reach, by cell", (
    Column("minutes_own", "float", "min", "to the nearest own outlet; infinite when none is within reach", 0),
    Column("minutes_any", "float", "min", "to the nearest outlet of any bank", 0),
    Column("supply_own", "float", "h/week per 10,000", "E2SFCA of own counter-hours on residents and people moved in", 0),
    Column("supply_rival", "float", "h/week per 10,000", "E2SFCA of rival counter-hours on residents and people moved in", 0),
    Column("supply_any", "float", "h/week per 10,000", "E2SFCA of all counter-hours on residents and people moved in", 0),
    Column("minutes_point", "float", "min", "to the nearest service point of any kind, outlets included", 0, absent="no service_points layer"),
    Column("minutes_own_open", "float", "min", "to the nearest own outlet open in the hours asked for", 0, absent="access.hours_from and hours_to ask for none"),
    Column("minutes_any_open", "float", "min", "to the nearest outlet of any bank open in the hours asked for", 0, absent="access.hours_from and hours_to ask for none"),
    Column("supply_any_open", "float", "h/week per 10,000", "E2SFCA of the counter-hours of outlets open in the hours asked for", 0, absent="access.hours_from and hours_to ask for none"),
))  # fmt: skip

QUEUES = Table("queues", "branch_id", "queues of own branches, from tickets", (
    Column("tickets_per_day", "float", "1/day", "tickets a business day", 0, absent="the branch has no tickets"),
    Column("overtime_share", "float", "1", "share of tickets that wait longer than queues.longest_wait_min", 0, 1, absent="the branch has no tickets"),
))  # fmt: skip

MARKET_CELLS = Table("market_cells", "cell_id", "shares of the market, by cell", (
    Column("share_own", "float", "1", "share of visits that own outlets win", 0, 1),
    Column("share_rival", "float", "1", "share that rivals win", 0, 1),
    Column("share_outside", "float", "1", "share that no outlet wins", 0, 1),
))  # fmt: skip

MARKET_OUTLETS = Table("market_outlets", "outlet_id", "predicted volume, by outlet", (
    Column("visits_per_day", "float", "1/day", "predicted visits", 0),
    Column("deposits_wan", "float", "10,000 CNY", "predicted deposits", 0),
    Column("overlap", "float", "1", "own outlets: share of its visits that siblings would serve (D§6.2)", 0, 1, absent="rival"),
    Column("performance", "float", "1", "own outlets: observed over predicted volume, after calibration of the level", 0, absent="rival"),
))  # fmt: skip

COEFFICIENTS = Table("coefficients", "coefficient", "how people choose an outlet: what was fitted, and what was assumed", (
    Column("estimate", "float", "1", "used by the market: exponent of attractiveness, or power to which the decay is taken", 0),
    Column("low", "float", "1", "lower end of the 95 % interval", absent="not fitted"),
    Column("high", "float", "1", "upper end of the 95 % interval", absent="not fitted"),
    Column("prior", "float", "1", "the scenario's own value", 0),
    Column("rate", "float", "", "decay: lambda per minute (exponential, combined), beta (power) or sigma in minutes (gaussian)", 0, absent="no decay, or one by steps"),
    Column("status", "text", "", "where the estimate comes from", values=("fitted", "common", "prior", "bound")),
))  # fmt: skip

GOODNESS = Table("goodness", "measure", "how well the market model fits what was observed", (
    Column("value", "float", "", "value", absent="the evidence does not tell it"),
    Column("unit", "text", "", "unit"),
))  # fmt: skip

PROFILE = Table("profile", "", "how much worse other decays explain the evidence", (
    Column("decay_factor", "float", "1", "power to which the scenario's decay is taken, the same for all settlement classes", 0),
    Column("deviance", "float", "1", "twice the log likelihood below its top, the other coefficients fitted anew; above 3.84 is outside the 95 % interval", 0),
))  # fmt: skip
