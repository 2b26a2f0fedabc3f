"""The memo's outlook: demand of the coming years if nothing is moved."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from siteplanner.outputs.figures import year_bars
from siteplanner.outputs.html import paragraph, say, strong, table, text
from siteplanner.outputs.wording import money, number, percent
from siteplanner.plan import Plan
from siteplanner.scenario import Language

_MOST_COUNTIES = 5
_SUMS = ("visits_per_day", "visits_60", "potential_wan", "visits_own")


def forecast_section(plan: Plan, language: Language) -> Markup:
    """Return the region's visits and money by year, and the counties that rise and fall most."""
    counties = plan.forecast.counties
    years = counties.groupby("year")[list(_SUMS)].sum()
    first, last = years.iloc[0], years.iloc[-1]
    lead = say(
        "forecast_lead",
        language,
        first=years.index[0],
        last=years.index[-1],
        visits_first=strong(number(first["visits_per_day"])),
        visits_last=strong(number(last["visits_per_day"])),
        visits_change=_change(first["visits_per_day"], last["visits_per_day"]),
        aged_first=percent(_of(first["visits_60"], first["visits_per_day"])),
        aged_last=percent(_of(last["visits_60"], last["visits_per_day"])),
        money_first=strong(money(first["potential_wan"], language)),
        money_last=strong(money(last["potential_wan"], language)),
        money_change=_change(first["potential_wan"], last["potential_wan"]),
        own_first=number(first["visits_own"]),
        own_last=number(last["visits_own"]),
    )
    pictures = (
        ("forecast_visits_by_year", years["visits_per_day"], [number(v) for v in years["visits_per_day"]]),
        (
            "forecast_money_by_year",
            years["potential_wan"],
            [money(v, language) for v in years["potential_wan"]],
        ),
    )
    return (
        Markup('<h3 id="forecast">{}</h3>').format(say("forecast_title", language))
        + paragraph(lead)
        + Markup("").join(
            Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(
                year_bars(values, said, str(say(key, language))), say(key, language)
            )
            for key, values, said in pictures
        )
        + _county_tables(plan, language)
        + paragraph(_basis(plan, language), "small")
    )


def _basis(plan: Plan, language: Language) -> Markup:
    settings = plan.scenario.demand
    rate = settings.deposits_growth_per_year
    key = "forecast_grows" if rate else "forecast_flat"
    still = plan.layers.population_earlier is None
    return say(
        "forecast_basis_still" if still else "forecast_basis",
        language,
        cap=percent(settings.growth_cap_per_year),
        growth=say(key, language, rate=percent(rate)),
    )


def _county_tables(plan: Plan, language: Language) -> Markup:
    """Return the counties whose visits change most, for their size; none twice."""
    counties = plan.forecast.counties
    ends = counties["year"].min(), counties["year"].max()
    then, now = (counties[counties["year"] == year].set_index("county_id") for year in ends)
    change = (now["visits_per_day"] / then["visits_per_day"].where(then["visits_per_day"] > 0.0)).fillna(1.0)
    order = change.sort_index().sort_values(ascending=False, kind="stable").index
    shown = min(_MOST_COUNTIES, len(order) // 2)
    names = plan.layers.counties["name"]
    result = Markup("")
    for key, ids in (("forecast_rising", order[:shown]), ("forecast_falling", order[::-1][:shown])):
        rows = [_row(str(names[county]), then.loc[county], now.loc[county], language) for county in ids]
        head = [
            (say(key, language), ""),
            (say("forecast_visits", language, first=ends[0], last=ends[1]), "n"),
            (say("forecast_change", language), "n"),
            (say("forecast_deposits", language), "n"),
        ]
        result += table(head, rows) if rows else Markup("")
    return result


def _row(name: str, then: "pd.Series[Any]", now: "pd.Series[Any]", language: Language) -> list[object]:
    return [
        text(name),
        f"{number(then['visits_per_day'])} → {number(now['visits_per_day'])}",
        _change(then["visits_per_day"], now["visits_per_day"]),
        money(now["potential_wan"] - then["potential_wan"], language, plus=True),
    ]


def _change(first: float, last: float) -> str:
    share = _of(last - first, first)
    return f"+{percent(share)}" if share > 0.0 else percent(share)


def _of(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0
