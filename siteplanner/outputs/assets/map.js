"use strict";
// Puts the page together: panes, layers, panel, and what happens on hover and click.
(function (sp) {
  const { el } = sp;
  const SMALL = "(max-width: 760px)";
  const FONT = 'system-ui, "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif';
  const PANES = { land: 205, cells: 210, zones: 220, change: 230, areas: 300, borders: 310, dots: 410, links: 420, moves: 440,
    places: 450, badges: 620, names: 430, chosen: 470 };
  // Perceptually even ramps, readable with every colour vision. Dark is much; of minutes, dark is near.
  const RAMPS = {
    demand: ["#e6ebf0", "#ccd5de", "#adbac8", "#8b9cae", "#677c93", "#475d78", "#29405c"],
    volume: ["#e2f3e6", "#b2e0c8", "#74c6bd", "#45a3b3", "#3a7ba3", "#3f528c", "#352b5a"],
    supply: ["#f3edf7", "#dccdea", "#bea8d8", "#9c80c3", "#7a5bab", "#593a8c", "#38205f"],
    gap: ["#fbeadb", "#f7c9a6", "#f39b72", "#e2655a", "#bb3960", "#84256a", "#4a1a57"],
    minutes: ["#1d3f63", "#2f6278", "#4a857f", "#74a57f", "#a8c284", "#d6d998", "#f3eecb"],
  };
  const CLASS_COLOURS = {
    dense_saturated: "#9c3400", dense: "#d55e00", dense_productive: "#e8a25a",
    blank_true: "#004b78", blank: "#0072b2", blank_contested: "#6bb3df",
    inflow: "#009e73", inclusive: "#b0568a",
  };
  const FORMAT_STYLE = {
    core: ["#0f172a", 6.5], standard: ["#27406b", 5], light: ["#4d7ea8", 4.5],
    community: ["#7a9e5f", 4.5], self_service: ["#9a8c5b", 4],
  };
  const MOVE = "#c2185b";
  const GAINED = "#0072b2";
  const LOST = "#d55e00";

  class App {
    constructor(map, facts, mask) {
      this.map = map;
      this.facts = facts;
      this.words = new sp.Words(facts);
      this.lattice = new sp.Lattice(facts.lattice, mask);
      this.scales = facts.layers.map((described) => new sp.Scale(described));
      this.scaleByKey = new Map(this.scales.map((scale) => [scale.key, scale]));
      for (const name of ["zones", "branches", "sites", "moves", "rejected", "townships", "counties"]) {
        this[name] = sp.records(facts[name]);
      }
      const by = (list, key) => new Map(list.map((item) => [item[key], item]));
      this.branchById = by(this.branches, "id");
      this.siteById = by(this.sites, "id");
      this.countyById = by(this.counties, "id");
      this.moveByBranch = by(this.moves, "branch_id");
      this.moveBySite = by(this.moves, "site_id");
      this.rejectedBySite = by(this.rejected, "site_id");
      this.pins = [];
      this.calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.state = { base: "demand", band: "day", day: "weekday", when: "before" };
      const footfall = this.scaleByKey.has("footfall_weekday_day") ? ["footfall"] : [];
      this.bases = ["none", "demand", "residents", ...footfall, "access", "supply", "gap"];
    }

    get small() {
      return window.matchMedia(SMALL).matches;
    }
    baseOf(key) {
      return key.startsWith("footfall") ? "footfall" : key.startsWith("access") ? "access" : key;
    }
    baseKey() {
      const { base, band, day, when } = this.state;
      if (base === "footfall") return "footfall_" + day + "_" + band;
      return base === "access" && when === "after" ? "access_after" : base;
    }
    layerName(key) {
      const { words } = this;
      if (key.startsWith("footfall")) {
        const [, day, band] = key.split("_");
        return words.t("base_footfall") + " · " + words.t(day) + " · " + words.t("band_" + band);
      }
      if (this.baseOf(key) === "access") {
        return words.t("base_access") + " · " + words.t(key === "access" ? "before" : "after");
      }
      return words.t("base_" + key);
    }
    baseName() {
      return this.layerName(this.baseKey());
    }
    reading(scale, cell) {
      const code = scale.codes[cell];
      if (scale.kind === "log" && code === 0) return "< " + this.words.number(scale.low, 2);
      if (scale.kind === "linear" && code === 255) return this.words.t("out_of_reach");
      if (scale.kind === "linear" && code === 254) return "≥ " + this.words.number(scale.high);
      return "≈ " + this.words.about(scale.value(code));
    }

    // --- cell layers ---

    async showBase() {
      const key = this.baseKey();
      const scale = this.scaleByKey.get(key);
      if (!scale) {
        this.map.removeLayer(this.cells);
        this.shown = null;
        return this.drawLegend();
      }
      await scale.load();
      if (key !== this.baseKey()) return undefined; // another layer was chosen meanwhile
      const colours = RAMPS[scale.ramp];
      const table = new Uint32Array(256);
      for (let code = scale.kind === "log" ? 1 : 0; code < 256; code++) {
        table[code] = sp.packed(colours[Math.min(scale.classOf(code), colours.length - 1)]);
      }
      if (scale.kind === "linear") table[0] = table[255] = 0;
      this.shown = scale;
      this.cells.show(scale.codes, table, { highest: scale.kind === "log" });
      this.map.addLayer(this.cells);
      return this.drawLegend();
    }
    drawLegend() {
      const zones = this.zoneOverlays.filter((overlay) => overlay.on && overlay.count);
      const next = sp.legend(this, this.shown, this.shown ? RAMPS[this.shown.ramp] : [], zones);
      this.legend.replaceWith(next);
      this.legend = next;
    }
    showZones() {
      const table = new Uint32Array(256);
      this.zoneOverlays.forEach((overlay, k) => {
        if (overlay.on) table[k + 1] = sp.packed(overlay.colour);
      });
      this.zoneCells.show(this.zoneCodes, table, { edges: this.zoneOf });
    }
    showChange() {
      const table = new Uint32Array(256);
      table[2] = sp.packed(GAINED);
      table[3] = sp.packed(LOST);
      this.changeCells.show(this.change, table, { highest: true });
    }

    // --- opening things ---

    open(body, shape) {
      this.details.replaceChildren(body);
      this.details.hidden = false;
      this.main.hidden = true;
      this.panel.scrollTop = this.small ? this.details.offsetTop - 24 : 0;
      this.chosen.clearLayers();
      if (shape) this.chosen.addLayer(shape);
      this.expand();
      body.querySelector("button").focus({ preventScroll: true });
    }
    closeDetails() {
      this.details.hidden = true;
      this.main.hidden = false;
      this.chosen.clearLayers();
    }
    expand() {
      this.panel.classList.remove("folded");
      this.fold.setAttribute("aria-expanded", "true");
    }
    ring(thing) {
      return L.circleMarker([thing.lat, thing.lon], {
        radius: 12, color: MOVE, weight: 3, fill: false, interactive: false, pane: "chosen" });
    }
    fly(things) {
      const bounds = L.latLngBounds(things.map((thing) => [thing.lat, thing.lon]));
      this.map.flyToBounds(bounds, { ...this.padding(), maxZoom: 13, duration: 0.8, animate: !this.calm });
    }
    // What lies over the map: on a phone the panel below, else the legend at the right.
    padding() {
      if (this.small) return { paddingTopLeft: [24, 24], paddingBottomRight: [24, this.panel.offsetHeight + 24] };
      return { paddingTopLeft: [40, 40], paddingBottomRight: [this.corner.offsetWidth + 40, 40] };
    }
    openMove(move) {
      const ends = [this.branchById.get(move.branch_id), this.siteById.get(move.site_id)];
      this.open(sp.moveCard(this, move), L.layerGroup(ends.map((end) => this.ring(end))));
      this.fly(ends);
    }
    openBranch(branch) {
      this.open(sp.branchCard(this, branch), this.ring(branch));
    }
    openSite(site) {
      this.open(sp.siteCard(this, site), this.ring(site));
    }
    openZone(zone) {
      const drawn = CLASS_COLOURS[zone.zone_class];
      const lines = drawn ? sp.outline(this.lattice, this.zoneOf, zone.no) : [];
      this.open(sp.zoneCard(this, zone),
        L.polyline(lines, { color: "#0f172a", weight: 2.5, interactive: false, pane: "chosen" }));
    }
    openCounty(county) {
      const shape = L.polygon(county.shape, { color: "#0f172a", weight: 2.5, fill: false, interactive: false,
        pane: "chosen" });
      this.open(sp.countyCard(this, county), shape);
    }
    async openCell(latlng) {
      const cell = this.lattice.at(latlng);
      if (cell < 0) return;
      await Promise.all(this.scales.map((scale) => scale.load()));
      const row = this.lattice.rowAt(sp.worldY(latlng.lat));
      const col = this.lattice.colAt((latlng.lng + 180) / 360);
      const box = [[this.lattice.lat[row], this.lattice.lon(col)], [this.lattice.lat[row + 1], this.lattice.lon(col + 1)]];
      this.open(sp.cellCard(this, cell),
        L.rectangle(box, { color: "#0f172a", weight: 2, fill: false, interactive: false, pane: "chosen" }));
    }
    hover(latlng) {
      const cell = this.lattice.at(latlng);
      if (cell < 0) {
        this.readout.hidden = true;
        return;
      }
      const zone = this.zones[this.zoneOf[cell]];
      const county = this.countyById.get(zone.county_id);
      this.readout.replaceChildren(
        this.shown && el("b", {}, this.baseName() + " " + this.reading(this.shown, cell) + " ",
          el("small", {}, this.words.t("unit_" + this.state.base))),
        el("span", {}, [this.words.of("classes", zone.zone_class), zone.name].filter(Boolean).join(" · ")),
        el("small", {}, county ? county.name : ""));
      this.readout.hidden = false;
    }
  }

  Object.assign(sp, { App, FONT, PANES, CLASS_COLOURS, FORMAT_STYLE, MOVE, GAINED, LOST });
})(siteplanner);
