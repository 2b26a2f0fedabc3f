"""Tables of the layout, the decision and what follows from it."""

from siteplanner.tables.inputs import PLACED, lonlat
from siteplanner.tables.names import DESTINATION_TYPES, FORMATS, SETTLEMENTS, ZONE_CLASSES
from siteplanner.tables.schema import Column, Table

ZONE_CELLS = Table("zone_cells", "cell_id", "zone and gap, by cell", (
    Column("zone_id", "text", "", "zone; every cell is in exactly one"),
    Column("gap", "float", "1/day", "unmet visits: demand not within own supply"),
    Column("gap_z", "float", "1", "Gi* of the gap, standardised within settlement class; 0 without visits"),
    Column("gap_q", "float", "1", "its one-sided p-value after Benjamini-Hochberg; 1 without visits", 0, 1),
    Column("surplus_z", "float", "1", "Gi* of visits x (1 - typical over own supply), standardised likewise"),
    Column("stability", "float", "1", "share of the cell that is of the same kind on shifted lattices", 0, 1.000001, absent="zones.shifts is 0"),
))  # fmt: skip

ZONES = Table("zones", "zone_id", "areas of one class within one county", (
    Column("zone_class", "text", "", "class", values=ZONE_CLASSES),
    Column("name", "text", "", "place names that describe it, e.g. county and main township or development"),
    Column("county_id", "text", "", "county"),
    Column("prefecture", "text", "", "prefecture"),
    Column("area_km2", "float", "km2", "area of its cells", 0),
    *lonlat(),
    Column("residents", "float", "1", "residents", 0),
    Column("aged_60", "float", "1", "residents aged 60 and over", 0),
    Column("visits_per_day", "float", "1/day", "branch visits, all banks", 0),
    Column("potential_wan", "float", "10,000 CNY", "household deposits", 0),
    Column("gap_visits", "float", "1/day", "unmet visits", 0),
    Column("own_outlets", "int", "1", "own outlets inside", 0),
    Column("rival_outlets", "int", "1", "rival outlets inside", 0),
    Column("lq", "float", "1", "own outlets against potential, city mean 1, shrunk (D§6.2)", 0),
    Column("irs", "float", "1", "potential per own counter-hour against the city mean (D§6.2); infinite without supply", 0),
    Column("fair_share", "float", "1", "own share of the deposits of the outlets inside over own share of these outlets (D§6.2); 0 without own outlets", 0),
    Column("capture", "float", "1", "share of its deposits that own outlets win, wherever they stand", 0, 1.000001),
    Column("growth_per_year", "float", "1/year", "growth of residents"),
    Column("pipeline_households", "float", "1", "households to be handed over within the horizon", 0),
    Column("gap_z", "float", "1", "largest Gi* of the gap inside"),
    Column("stability", "float", "1", "share of its area that is of the same kind on shifted lattices", 0, 1.000001, absent="zones.shifts is 0"),
    Column("geometry", "geometry", "deg", "its cells dissolved, WGS 84"),
))  # fmt: skip

ZONES_DROPPED = Table("zones_dropped", "number", "areas of a class to act on that are too small for it and count as balanced, most deposits first", (
    Column("zone_class", "text", "", "class", values=("dense", "blank", "inflow", "inclusive")),
    Column("name", "text", "", "place names that describe it, e.g. county and main township or development"),
    Column("county_id", "text", "", "county"),
    *lonlat(),
    Column("residents", "float", "1", "residents", 0),
    Column("visits_per_day", "float", "1/day", "branch visits, all banks", 0),
    Column("potential_wan", "float", "10,000 CNY", "household deposits", 0),
    Column("reason", "text", "", "why it is too small", values=("few_residents", "few_outlets", "few_remote", "not_viable")),
))  # fmt: skip

COUNTY_QUOTAS = Table("county_quotas", "county_id", "how many branches a county should gain or lose", (
    Column("outlets_now", "int", "1", "own branches today", 0),
    Column("outlets_all_banks", "int", "1", "outlets of all banks", 0),
    Column("residents", "float", "1", "residents", 0),
    Column("outlets_per_10k", "float", "1", "outlets of all banks per 10,000 residents", 0),
    Column("potential_share", "float", "1", "share of the region's deposits", 0, 1),
    Column("growth_share", "float", "1", "share of the region's growth of residents", 0, 1),
    Column("target", "float", "1", "target number of branches", 0),
    Column("floor", "int", "1", "fewest branches after the plan", 0),
    Column("cap", "int", "1", "most branches after the plan", 0),
    Column("quota", "int", "1", "net change asked for, within floor and cap"),
    Column("reason", "text", "", "key of the reason in the labels"),
))  # fmt: skip

CANDIDATES = Table("candidates", "site_id", "where a branch could move to, sorted by id", (
    Column("name", "text", "", "name of the place"),
    *lonlat(),
    *PLACED,
    Column("zone_id", "text", "", "zone in which it lies"),
    Column("origin", "text", "", "why it is a candidate", values=("zone", "development", "township", "user")),
    Column("reason", "text", "", "what speaks for the place, before any score", values=("offered", "homes_coming", "homes_new", "new_district", "seat_unmet", "seat_listed", "spot_unmet", "spot_growth", "spot_inclusive")),
    Column("destination_type", "text", "", "kind of destination (the speech's three, and inclusive)", values=DESTINATION_TYPES),
    Column("settlement", "text", "", "settlement class of its cell", values=SETTLEMENTS),
    Column("gap_visits", "float", "1/day", "unmet visits within cover_min", 0),
    Column("handover", "date", "", "date the homes of its development are handed over", absent="the site is for no development"),
))  # fmt: skip

WAITS = ("work", "lease", "homes", "season", "batch", "network_share", "money", "rule", "order")
"""What can make a move no earlier than it is."""

RELEASE_PARTS = ("overlap", "surplus", "performance", "retention", "trend", "cost", "queue")
ATTRACT_PARTS = ("gap", "growth", "potential", "rivals", "access", "cost", "inclusive", "synergy")
PAIR_PARTS = ("release", "attract", "gain", "distance")

RELEASE_SCORES = Table("release_scores", "branch_id", "why a branch should leave, 0-100", (
    Column("score", "float", "0-100", "sum of the parts", 0, 100.000001),
    *(Column(f"part_{part}", "float", "0-100", f"points for {part}", 0, 100) for part in RELEASE_PARTS),
    *(Column(f"value_{part}", "float", "", f"criterion {part} before scaling") for part in RELEASE_PARTS),
    Column("veto", "text", "", "rule that forbids its move; empty when free"),
))  # fmt: skip

ATTRACT_SCORES = Table("attract_scores", "site_id", "why a site should receive a branch, 0-100", (
    Column("score", "float", "0-100", "sum of the parts", 0, 100.000001),
    *(Column(f"part_{part}", "float", "0-100", f"points for {part}", 0, 100) for part in ATTRACT_PARTS),
    *(Column(f"value_{part}", "float", "", f"criterion {part} before scaling") for part in ATTRACT_PARTS),
    Column("veto", "text", "", "rule that forbids it as a destination; empty when free"),
))  # fmt: skip

MOVES = Table("moves", "seq", "the relocations in the order of the plan", (
    Column("branch_id", "text", "", "branch that moves"),
    Column("site_id", "text", "", "where it goes"),
    Column("distance_km", "float", "km", "great-circle distance", 0),
    Column("worth", "float", "1/day", "worth of the pair when all moves are done: what the site adds less what the branch would"),
    Column("pair_score", "float", "0-100", "score of the pair", 0, 100.000001),
    *(Column(f"part_{part}", "float", "0-100", f"points for {part}", 0, 100) for part in PAIR_PARTS),
))  # fmt: skip

SCHEDULE = Table("schedule", "seq", "when each move is made, work by work", (
    Column("apply_on", "date", "", "month in which approval is sought; empty when the move finds no date"),
    Column("works_on", "date", "", "month in which the fit-out begins"),
    Column("accept_on", "date", "", "month in which the works are handed over for acceptance"),
    Column("open_on", "date", "", "month in which the new place opens and the old one closes"),
    Column("quarter", "text", "", "quarter of the opening, e.g. 2027Q2; empty without a date"),
    Column("waits_for", "text", "", "what makes it no earlier", values=WAITS),
    Column("depends_on", "text", "", "seq of the step that must come first; empty when none must"),
    Column("lease_break_wan", "float", "10,000 CNY", "cost of breaking the old lease; 0 where it is waited for", 0),
))  # fmt: skip

REJECTED = Table("rejected", "", "pairs and places looked at and not chosen, with the reason", (
    Column("branch_id", "text", "", "branch; empty when the rejection is of a site"),
    Column("site_id", "text", "", "site; empty when the rejection is of a branch"),
    Column("reason", "text", "", "key of the reason in the labels"),
    Column("rule", "text", "", "rule that refuses it; empty when it was only worth less"),
    Column("score", "float", "0-100", "its score", 0, 100.000001),
    Column("worth", "float", "1/day", "what it would add to the worth of the plan with its best partner; negative: what it lacks", absent="a rule forbids it"),
    Column("nearest_km", "float", "km", "distance to the nearest own branch of the plan, where that is the reason", 0, absent="distance is not the reason"),
))  # fmt: skip

TRACE = Table("trace", "", "every rule after every step of the order", (
    Column("step", "int", "", "moves carried out so far; 0 is today", 0),
    Column("rule", "text", "", "rule id"),
    Column("ok", "bool", "", "kept"),
    Column("severity", "text", "", "hard or warn", values=("hard", "warn")),
    Column("detail", "text", "", "ids concerned when it is not kept"),
))  # fmt: skip

DESTINATIONS = Table("destinations", "site_id", "what stands at each destination", (
    Column("format", "text", "", "format", values=FORMATS),
    Column("counters", "int", "1", "counters", 0),
    Column("smart_devices", "int", "1", "smart devices", 0),
    Column("atms", "int", "1", "cash machines", 0),
    Column("staff", "int", "1", "staff", 0),
    Column("area_m2", "float", "m2", "floor area", 0),
    Column("hours_per_week", "float", "h", "opening hours a week", 0, 168),
    Column("staff_surplus", "int", "1", "staff of the old place that the new one does not need", 0),
    Column("opex_wan", "float", "10,000 CNY/year", "running cost", 0),
    Column("capex_wan", "float", "10,000 CNY", "fit-out and equipment", 0),
    Column("visits_per_day", "float", "1/day", "predicted visits with this format, everybody choosing anew: inertia fills no counter", 0),
    Column("deposits_wan", "float", "10,000 CNY", "predicted deposits when ramped up, everybody choosing anew", 0),
    Column("reason", "text", "", "key of the reason in the labels"),
))  # fmt: skip

CLUSTERS = Table("clusters", "branch_id", "core and satellites after the plan", (
    Column("cluster_id", "text", "", "cluster"),
    Column("role", "text", "", "role", values=("core", "satellite", "single")),
    Column("core_id", "text", "", "branch_id of the core"),
    Column("km_to_core", "float", "km", "great-circle distance to the core", 0),
))  # fmt: skip

LEDGER = Table("ledger", "seq", "what each move gains and loses", (
    Column("gross_gain_visits", "float", "1/day", "visits won at the new place", 0),
    Column("cannibalised_visits", "float", "1/day", "of these, taken from own siblings", 0),
    Column("from_rivals_visits", "float", "1/day", "of these, taken from rivals", 0),
    Column("from_outside_visits", "float", "1/day", "of these, won from no outlet; the three add up to the gain", 0),
    Column("lost_visits", "float", "1/day", "visits of the old place that leave the bank", 0),
    Column("recaptured_visits", "float", "1/day", "visits of the old place that siblings keep", 0),
    Column("to_rivals_visits", "float", "1/day", "of the lost visits, those that rivals take", 0),
    Column("to_outside_visits", "float", "1/day", "of the lost visits, those that no outlet gets", 0),
    Column("net_visits", "float", "1/day", "gross gain - cannibalised - lost"),
    Column("gross_gain_wan", "float", "10,000 CNY", "deposits won at the new place when ramped up", 0),
    Column("cannibalised_wan", "float", "10,000 CNY", "of these, from own siblings", 0),
    Column("lost_wan", "float", "10,000 CNY", "deposits lost at the old place after two years", 0),
    Column("lost_low_wan", "float", "10,000 CNY", "the same, P10: more is lost in nine of ten cases", 0),
    Column("lost_high_wan", "float", "10,000 CNY", "the same, P90: more is lost in one of ten cases", 0),
    Column("lost_choice_wan", "float", "10,000 CNY", "deposits lost at the old place if customers left as the choice model says", 0),
    Column("net_wan", "float", "10,000 CNY", "gross gain - cannibalised - lost"),
    Column("market_net_wan", "float", "10,000 CNY", "change of all our deposits by this move in the market model, homes to come left out"),
    Column("attrition_wan", "float", "10,000 CNY", "more, or less, that customers left behind keep with us by attrition than by choice"),
    Column("switched_wan", "float", "10,000 CNY", "loss, by attrition, of customers whom the old place lost, less those it won, before it closed"),
    Column("unmodelled_wan", "float", "10,000 CNY", "loss, by attrition, of observed deposits beyond what the market model gives the old place"),
    Column("pipeline_wan", "float", "10,000 CNY", "net deposits of homes to be handed over; with the four before it adds up to net_wan"),
    Column("retention", "float", "1", "share of the old place's deposits kept after two years", 0, 1),
    Column("retention_low", "float", "1", "the same, P10: less is kept in one of ten cases", 0, 1),
    Column("retention_high", "float", "1", "the same, P90: less is kept in nine of ten cases", 0, 1),
    Column("retention_choice", "float", "1", "share of the old place's deposits that own outlets keep by the choice model with inertia", 0, 1.000001),
    Column("models_differ", "bool", "", "retention by attrition and by choice differ by more than economics.models_differ"),
    Column("extra_km", "float", "km", "customer-weighted extra distance to the best remaining own outlet", 0),
    Column("volume_effect_wan", "float", "10,000 CNY/year", "margin and fees of the net volume, year 5"),
    Column("cost_effect_wan", "float", "10,000 CNY/year", "running cost saved"),
    Column("capex_wan", "float", "10,000 CNY", "fit-out, closing and, where it is broken, the old lease", 0),
    Column("npv_wan", "float", "10,000 CNY", "net present value over the horizon"),
    Column("payback_years", "float", "year", "simple payback; infinite when never", 0),
    Column("break_even_retention", "float", "1", "retention at which the net present value is 0; may lie outside 0-1"),
    Column("covered_gained", "float", "1", "people brought within reach of an own outlet by this move", 0),
    Column("covered_lost", "float", "1", "people who leave the reach of an own outlet by this move", 0),
    Column("aged_60_affected", "float", "1", "residents aged 60+ whose nearest own outlet was the old place", 0),
    Column("reason_1", "text", "", "strongest reason, key in the labels"),
    Column("reason_2", "text", "", "second reason"),
    Column("reason_3", "text", "", "third reason"),
))  # fmt: skip

KPIS = Table("kpis", "kpi", "the network before and after the plan", (
    Column("before", "float", "", "before"),
    Column("after", "float", "", "after"),
    Column("unit", "text", "", "unit"),
))  # fmt: skip

RECONCILIATION = Table("reconciliation", "line", "from the market model's change of deposits to the ledger's, line by line", (
    Column("deposits_wan", "float", "10,000 CNY", "change of our deposits; market_net_wan and net_wan are the sums of the lines above them"),
))  # fmt: skip

COUNTY_KPIS = Table("county_kpis", "county_id", "each county before and after the plan", (
    Column("outlets_before", "int", "1", "own branches", 0),
    Column("outlets_after", "int", "1", "own branches", 0),
    Column("residents", "float", "1", "residents", 0),
    Column("aged_60", "float", "1", "residents aged 60 and over", 0),
    Column("covered_own_before", "float", "1", "residents within reach of an own outlet", 0),
    Column("covered_own_after", "float", "1", "residents within reach of an own outlet", 0),
    Column("covered_any_before", "float", "1", "residents within reach of any bank", 0),
    Column("covered_any_after", "float", "1", "residents within reach of any bank", 0),
    Column("aged_60_covered_before", "float", "1", "residents 60+ within reach of an own outlet", 0),
    Column("aged_60_covered_after", "float", "1", "residents 60+ within reach of an own outlet", 0),
    Column("visits_before", "float", "1/day", "visits won by own outlets", 0),
    Column("visits_after", "float", "1/day", "visits won by own outlets", 0),
))  # fmt: skip

CONSERVATION = Table("conservation", "", "people in and people out, by layer and county", (
    Column("layer", "text", "", "layer"),
    Column("county_id", "text", "", "county; 'outside' for what lies in none, 'suppressed' for what is missing to protect people"),
    Column("count_in", "float", "1", "sum of the source", 0),
    Column("count_out", "float", "1", "sum of the cells", 0),
    Column("count_exact", "float", "1", "people of the source inside the county's border, pixels split by area", 0, absent="no comparison with the raster"),
    Column("nodata_pixels", "int", "1", "pixels of rasters that stand for no data", 0),
))  # fmt: skip
