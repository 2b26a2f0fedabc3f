"use strict";
// What is said of one thing: a move, branch, site, zone, county, township or cell. Returns elements.
(function (sp) {
  const { el } = sp;
  const COUNTS = ["1", "share", "persons", "outlets", "counties", "townships", "staff"]; // named by what is counted

  function card(app, kind, title, ...body) {
    return el("article", { class: "card" },
      el("button", { type: "button", class: "back", onclick: () => app.closeDetails() }, "← " + app.words.t("back")),
      el("p", { class: "kicker" }, kind), el("h2", {}, title), body);
  }

  // Rows of name and value; rows without a value are left out.
  function table(rows, caption) {
    const kept = rows.filter((row) => row && row[1] !== null && row[1] !== undefined && row[1] !== "");
    if (!kept.length) return null;
    return el("table", { class: "facts" }, caption && el("caption", {}, caption),
      el("tbody", {}, kept.map(([name, value, unit, strong]) => el("tr", strong ? { class: "strong" } : {},
        el("th", { scope: "row" }, name), el("td", {}, value, unit && el("small", {}, " " + unit))))));
  }

  // Points of a score as bars; the parts add up to the score.
  function parts(app, record, title) {
    const names = Object.keys(record).filter((name) => name.startsWith("part_") && record[name] > 0);
    if (!names.length || record.score === null || record.score === undefined) return null;
    names.sort((a, b) => record[b] - record[a]);
    return el("section", { class: "parts" },
      el("h3", {}, title, el("b", {}, " " + app.words.number(record.score, 1))),
      names.map((name) => {
        const bar = el("i", {});
        bar.style.width = Math.min(100, record[name] * 2.5) + "%";
        return el("div", { class: "part" }, el("span", {}, app.words.t(name)), el("span", { class: "bar" }, bar),
          el("small", {}, app.words.number(record[name], 1)));
      }));
  }

  function place(app, thing) {
    const county = app.countyById.get(thing.county_id);
    return [county && county.name, thing.tier && app.words.of("tiers", thing.tier)].filter(Boolean).join(" · ");
  }

  function moveCard(app, move) {
    const { words } = app;
    const n = (value, decimals, signed) => words.number(value, decimals, signed);
    const from = app.branchById.get(move.branch_id);
    const to = app.siteById.get(move.site_id);
    const reasons = [move.reason_1, move.reason_2, move.reason_3].filter(Boolean);
    const day = words.t("unit_visits");
    const wan = words.t("unit_wan");
    const km = words.of("units", "km");
    const persons = words.of("units", "persons");
    const years = move.payback_years === null ? words.t("never") : n(move.payback_years, 1);
    const range = n(move.lost_low_wan) + "–" + n(move.lost_high_wan);
    return card(app, words.t("move_no", { no: move.seq }), from.name + " → " + to.name,
      el("div", { class: "ends" },
        el("div", {}, el("small", {}, words.t("from_place")), el("b", {}, from.name), el("span", {}, place(app, from)),
          el("span", {}, words.of("formats", from.format))),
        el("div", {}, el("small", {}, words.t("to_place")), el("b", {}, to.name), el("span", {}, place(app, to)),
          el("span", {}, words.of("formats", move.format_to)))),
      el("p", { class: "actions" },
        el("button", { type: "button", onclick: () => app.fly([from, to]) }, words.t("see_both")),
        el("button", { type: "button", onclick: () => app.fly([from]) }, words.t("see_from")),
        el("button", { type: "button", onclick: () => app.fly([to]) }, words.t("see_to"))),
      el("section", {}, el("h3", {}, words.t("why")),
        el("ol", { class: "reasons" }, reasons.map((key) => el("li", {}, words.of("reasons", key))))),
      table([
        [words.t("gross_gain"), n(move.gross_gain_visits), day], [words.t("cannibalised"), n(-move.cannibalised_visits), day],
        [words.t("lost"), n(-move.lost_visits), day], [words.t("net"), n(move.net_visits, 0, true), day, true],
        [words.t("recaptured"), n(move.recaptured_visits), day],
      ], words.t("visits")),
      table([
        [words.t("gross_gain"), n(move.gross_gain_wan), wan], [words.t("cannibalised"), n(-move.cannibalised_wan), wan],
        [words.t("lost"), n(-move.lost_wan), wan], [words.t("lost_range"), range, wan], [words.t("net"), n(move.net_wan, 0, true), wan, true],
        [words.t("retention"), words.percent(move.retention, 0)],
        [words.t("retention_range"), words.percent(move.retention_low, 0) + "–" + words.percent(move.retention_high, 0)],
        [words.t("retention_choice"), words.percent(move.retention_choice, 0)],
      ], words.t("deposits")),
      move.models_differ && el("p", { class: "warned" }, words.t("models_differ")),
      table([
        [words.t("npv"), n(move.npv_wan, 0, true), wan, true], [words.t("capex"), n(move.capex_wan), wan],
        [words.t("payback"), years, move.payback_years === null ? "" : words.t("unit_years")],
        [words.t("break_even_retention"), breakEven(words, move.break_even_retention)],
      ], words.t("money")),
      table([
        [words.t("covered_gained"), n(move.covered_gained), persons], [words.t("covered_lost"), n(move.covered_lost), persons],
        [words.t("aged_60_affected"), n(move.aged_60_affected), persons], [words.t("extra_km"), n(move.extra_km, 1), km],
        [words.t("distance"), n(move.distance_km, 1), km], [words.t("pair_score"), n(move.pair_score, 1)],
      ], words.t("people")),
      table([[words.t("opens_in"), move.quarter], [words.t("applies_in"), move.apply_month]], words.t("schedule")),
      el("section", {}, el("h3", {}, words.t("rules")),
        el("p", {}, words.t("rules_kept", { n: move.rules_kept })),
        move.rules_warned.length > 0 && el("ul", { class: "warned" },
          move.rules_warned.map((rule) => el("li", {}, words.of("rules", rule))))));
  }

  function breakEven(words, share) {
    if (share !== null && share <= 0) return words.t("even_if_none_stay");
    return share > 1 ? words.t("not_if_all_stay") : words.percent(share, 0);
  }

  function branchCard(app, branch) {
    const { words } = app;
    const move = app.moveByBranch.get(branch.id);
    return card(app, words.t("own_branch"), branch.name,
      el("p", {}, place(app, branch)),
      move && el("p", { class: "actions" },
        el("button", { type: "button", onclick: () => app.openMove(move) }, words.t("moves_as", { no: move.seq }))),
      branch.veto && el("p", { class: "stays" }, words.t("stays"), " ", words.of("rules", branch.veto)),
      table([
        [words.t("branch_id"), branch.id], [words.t("format"), words.of("formats", branch.format)],
        [words.t("counters"), words.number(branch.counters)],
        [words.t("visits_predicted"), words.number(branch.visits_predicted), words.t("unit_visits")],
        [words.t("overlap"), words.percent(branch.overlap, 0)],
        [words.t("role"), branch.role && words.of("roles", branch.role)],
      ]),
      parts(app, branch, words.t("release_score")));
  }

  function siteCard(app, site) {
    const { words } = app;
    const move = app.moveBySite.get(site.id);
    const refused = app.rejectedBySite.get(site.id);
    return card(app, words.t(move ? "destination" : "rejected_site"), site.name,
      el("p", {}, place(app, site)),
      move && el("p", { class: "actions" },
        el("button", { type: "button", onclick: () => app.openMove(move) }, words.t("receives", { no: move.seq }))),
      refused && el("p", { class: "stays" }, words.of("rejections", refused.reason),
        refused.rule && " · " + words.of("rules", refused.rule)),
      table([
        [words.t("site_id"), site.id], [words.t("destination_type"), words.t("type_" + site.destination_type)],
        [words.t("gap_near"), words.number(site.gap_visits, 1), words.t("unit_visits")],
      ]),
      parts(app, site, words.t("attract_score")));
  }

  function zoneCard(app, zone) {
    const { words } = app;
    const county = app.countyById.get(zone.county_id);
    return card(app, words.of("classes", zone.zone_class), zone.name,
      el("p", {}, county ? county.name : ""),
      table([
        [words.t("residents"), zone.residents === null ? null : words.number(zone.residents), words.of("units", "persons")],
        [words.t("area"), zone.area_km2 === null ? null : words.number(zone.area_km2, 1), words.of("units", "km2")],
        [words.t("unmet"), zone.gap_visits === null ? null : words.number(zone.gap_visits), words.t("unit_visits")],
        [words.t("own_outlets"), zone.own_outlets === null ? null : words.number(zone.own_outlets)],
        [words.t("rival_outlets"), zone.rival_outlets === null ? null : words.number(zone.rival_outlets)],
        [words.t("growth"), zone.growth_per_year === null ? null : words.percent(zone.growth_per_year, 1, true)],
        [words.t("pipeline"), zone.pipeline_households ? words.number(zone.pipeline_households) : null],
      ]));
  }

  function countyCard(app, county) {
    const { words } = app;
    const pair = (before, after, say) => before === null ? null : say(before) + " → " + say(after);
    return card(app, words.t("county"), county.name,
      el("p", {}, county.prefecture),
      county.inclusive && el("p", { class: "stays" }, words.t("inclusive_county")),
      table([
        [words.t("residents"), words.number(county.residents), words.of("units", "persons")],
        [words.t("own_outlets"), pair(county.outlets_before, county.outlets_after, (v) => words.number(v))],
        [words.t("covered"), pair(county.covered_before, county.covered_after, (v) => words.percent(v, 1))],
        [words.t("quota"), words.number(county.quota, 0, true)],
      ]));
  }

  // Values of a cell, read back from its codes: about right, and said so.
  function cellCard(app, cell) {
    const { words } = app;
    const zone = app.zones[app.zoneOf[cell]];
    const county = app.countyById.get(zone.county_id);
    const rows = app.scales.filter((scale) => scale.codes).map((scale) =>
      [app.layerName(scale.key), app.reading(scale, cell), words.t("unit_" + app.baseOf(scale.key))]);
    return card(app, words.t("cell") + " · " + (county ? county.name : ""),
      zone.name || words.of("classes", zone.zone_class),
      el("p", { class: "actions" },
        el("button", { type: "button", onclick: () => app.openZone(zone) }, words.of("classes", zone.zone_class)),
        county && el("button", { type: "button", onclick: () => app.openCounty(county) }, county.name)),
      table(rows, words.t("approximately")));
  }

  function moveRow(app, move) {
    const { words } = app;
    const from = app.branchById.get(move.branch_id);
    const to = app.siteById.get(move.site_id);
    return el("li", {}, el("button", { type: "button", class: "move", onclick: () => app.openMove(move) },
      el("span", { class: "no" }, move.seq),
      el("span", { class: "names" }, el("b", {}, from.name), el("b", {}, "→ " + to.name),
        el("small", {}, words.of("reasons", move.reason_1))),
      el("span", { class: "sums" }, el("b", {}, words.number(move.net_visits, 0, true)),
        el("small", {}, words.t("unit_visits")), el("small", {}, words.number(move.distance_km, 1) + " " + words.of("units", "km")))));
  }

  function moveList(app) {
    return el("div", {}, el("p", { class: "note" }, app.words.t("moves_note")),
      el("ol", { class: "moves" }, app.moves.map((move) => moveRow(app, move))));
  }

  // How good the plan is, in words, and the network before and after.
  function summary(app) {
    const { words, facts } = app;
    const { proof } = facts;
    const gap = proof.gap === null ? null : words.percent(proof.gap, 2);
    const kpis = sp.records(facts.kpis).map((kpi) => el("tr", {},
      el("th", { scope: "row" }, words.of("kpis", kpi.id),
        !COUNTS.includes(kpi.unit) && el("small", {}, " " + words.of("units", kpi.unit))),
      el("td", {}, kpiValue(words, kpi, kpi.before)), el("td", {}, kpiValue(words, kpi, kpi.after))));
    return el("div", {},
      el("section", { class: "proof" }, el("h2", {}, words.t("how_good")),
        gap ? el("p", { class: "claim" }, words.t("proof_gap", { gap })) : el("p", {}, words.t("proof_none")),
        el("p", {}, words.t("proof_numbers", {
          before: words.number(proof.before), after: words.number(proof.after), bound: words.number(proof.bound) })),
        proof.gain_gap !== null && el("p", {}, words.t("proof_gain", { gap: words.percent(proof.gain_gap, 1) }))),
      el("table", { class: "facts kpis" }, el("caption", {}, words.t("network")),
        el("thead", {}, el("tr", {}, el("td", {}), el("th", { scope: "col" }, words.t("before")),
          el("th", { scope: "col" }, words.t("after")))), el("tbody", {}, kpis)),
      el("p", { class: "note" }, words.t("assumptions")));
  }

  function kpiValue(words, kpi, value) {
    if (kpi.unit === "share" && !kpi.id.startsWith("gini_")) return words.percent(value, 2);
    const decimals = value === null || Number.isInteger(value) || Math.abs(value) >= 1000 ? 0 : Math.abs(value) < 10 ? 3 : 1;
    return words.number(value, decimals);
  }

  Object.assign(sp, { moveCard, branchCard, siteCard, zoneCard, countyCard, cellCard, moveList, summary });
})(siteplanner);
