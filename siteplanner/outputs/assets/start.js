"use strict";
// Reads the blocks, lays the layers over each other and opens the page.
(function (sp) {
  const { el, App } = sp;
  const PAPER_INK = "#334155";

  // A dot with a name; drawn smaller in a view of the whole.
  function pin(app, thing, style, text, onclick) {
    const marker = L.circleMarker([thing.lat, thing.lon], { ...style, large: style.radius, thick: style.weight });
    app.pins.push(marker);
    const name = el("span", {}, text);
    marker.bindTooltip(name, { direction: "top", offset: [0, -6], className: "tip" });
    marker.on("click", (event) => { L.DomEvent.stopPropagation(event); onclick(); });
    return marker;
  }

  function sizePins(app) {
    const share = Math.min(1, Math.max(0.45, 0.45 + (app.map.getZoom() - 7) * 0.14));
    app.map.getContainer().classList.toggle("far", app.map.getZoom() < 8.5);
    for (const marker of app.pins) {
      marker.setStyle({ weight: marker.options.thick * (0.4 + 0.6 * share) });
      marker.setRadius(marker.options.large * share);
    }
  }

  function borders(app) {
    const { facts, map } = app;
    const county = L.layerGroup();
    const tint = L.layerGroup();
    for (const item of app.counties) {
      item.shape = sp.rings(item.rings, facts.unit_deg);
      county.addLayer(L.polyline(item.shape, { color: "#7b8794", weight: 0.8, opacity: 0.9,
        interactive: false, pane: "borders" }));
      if (item.inclusive) {
        tint.addLayer(L.polygon(item.shape, { stroke: true, color: "#8e4a78", weight: 1.2, dashArray: "4 4",
          fillColor: "#b0568a", fillOpacity: 0.1, interactive: false, pane: "areas" }));
      }
    }
    for (const item of sp.records(facts.prefectures)) {
      const outer = sp.rings(item.rings, facts.unit_deg);
      L.polygon(outer, { stroke: false, fillColor: "#fff", fillOpacity: 1, interactive: false, pane: "land" }).addTo(map);
      county.addLayer(L.polyline(outer, { color: "#3b4755", weight: 1.9, opacity: 0.9,
        interactive: false, pane: "borders" }));
    }
    county.addTo(map);
    return { county, tint };
  }

  function names(app) {
    const middle = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
    const places = new Map();
    for (const county of app.counties) {
      if (!places.has(county.prefecture)) places.set(county.prefecture, []);
      places.get(county.prefecture).push(county);
    }
    const columns = (list) => ({ names: list.map((x) => x.name), lat: list.map((x) => x.lat), lon: list.map((x) => x.lon) });
    const prefectures = [...places].filter(([name]) => name).map(([name, members]) => (
      { name, lat: middle(members.map((c) => c.lat)), lon: middle(members.map((c) => c.lon)) }));
    return sp.drawNames([
      { ...columns(prefectures), from: 0, until: 8.5, size: 14, weight: 600, colour: "#1f2937" },
      { ...columns(app.counties), from: 8.5, until: 20, size: 13, weight: 600, colour: "#1f2937" },
      { ...columns(app.townships), from: 10.5, until: 20, size: 11.5, weight: 400, colour: PAPER_INK, rise: 13 },
    ], sp.FONT);
  }

  function moveLayer(app) {
    const group = L.layerGroup();
    const renderer = L.svg({ pane: "moves", padding: 0.5 });
    for (const move of app.moves) {
      const from = app.branchById.get(move.branch_id);
      const to = app.siteById.get(move.site_id);
      const points = sp.bend(L.latLng(from.lat, from.lon), L.latLng(to.lat, to.lon));
      const open = (event) => { L.DomEvent.stopPropagation(event); app.openMove(move); };
      const common = { renderer, pane: "moves", lineCap: "round" };
      group.addLayer(L.polyline(points, { ...common, color: "#fff", weight: 5, opacity: 0.85, interactive: false }));
      group.addLayer(L.polyline(points, { ...common, color: sp.MOVE, weight: 2.2, className: "arrow", interactive: false }));
      group.addLayer(L.polyline(points, { ...common, weight: 16, opacity: 0 }).on("click", open));
      const icon = L.divIcon({ className: "no", html: el("span", {}, move.seq), iconSize: [20, 20] });
      const title = move.seq + " " + from.name + " → " + to.name;
      const badge = L.marker(points[14], { icon, keyboard: true, title, alt: title, pane: "badges" });
      group.addLayer(badge.on("click", open));
    }
    group.on("add", () => markArrows(app.map, renderer));
    return group;
  }

  // The head of an arrow: a marker of the drawing, in the colour of its line.
  function markArrows(map, renderer) {
    const space = "http://www.w3.org/2000/svg";
    const drawing = renderer._container;
    if (!drawing.querySelector("#arrow-head")) {
      const marker = document.createElementNS(space, "marker");
      const head = document.createElementNS(space, "path");
      const given = { id: "arrow-head", viewBox: "0 0 10 10", refX: 16, refY: 5, markerWidth: 12, markerHeight: 12,
        markerUnits: "userSpaceOnUse", orient: "auto" };
      for (const [name, value] of Object.entries(given)) marker.setAttribute(name, value);
      head.setAttribute("d", "M0 0L10 5L0 10L2.5 5z");
      head.setAttribute("fill", sp.MOVE);
      marker.append(head);
      drawing.prepend(marker);
    }
    drawing.querySelectorAll(".arrow").forEach((line) => line.setAttribute("marker-end", "url(#arrow-head)"));
  }

  function branchLayers(app) {
    const layers = {};
    for (const branch of app.branches) {
      const format = sp.FORMAT_STYLE[branch.format] ? branch.format : "standard";
      const [fillColor, radius] = sp.FORMAT_STYLE[format];
      layers[format] = layers[format] || L.layerGroup();
      layers[format].addLayer(pin(app, branch,
        { radius, fillColor, fillOpacity: 1, color: "#fff", weight: 1.3, pane: "places" },
        branch.name, () => app.openBranch(branch)));
    }
    return layers;
  }

  function siteLayers(app) {
    const destinations = L.layerGroup();
    const rejected = L.layerGroup();
    for (const site of app.sites) {
      const chosen = app.moveBySite.has(site.id);
      const style = chosen
        ? { radius: 6.5, fillColor: "#fff", fillOpacity: 1, color: sp.MOVE, weight: 3, pane: "places" }
        : { radius: 4, fillColor: "#fff", fillOpacity: 0.9, color: "#64748b", weight: 1.5, pane: "places" };
      (chosen ? destinations : rejected).addLayer(pin(app, site, style, site.name, () => app.openSite(site)));
    }
    return { destinations, rejected };
  }

  // Only where the scenario names them: a switch without anything behind it says nothing.
  function pointLayers(app, layered, view, radiusAt) {
    const points = app.facts.points;
    return points.lon.length ? [layered("points", "#0f766e", "dot",
      view(sp.drawDots(points, "rgba(15, 118, 110, 0.8)", radiusAt), "dots"), false, points.lon.length)] : [];
  }

  function barrierLayers(app, layered) {
    const { lines, areas } = app.facts.barriers;
    if (!lines.length && !areas.length) return [];
    const style = { color: "#9a3412", weight: 2, opacity: 0.85, interactive: false, pane: "borders" };
    const shapes = L.layerGroup();
    for (const line of sp.rings(lines, app.facts.unit_deg)) shapes.addLayer(L.polyline(line, style));
    for (const area of areas) {
      shapes.addLayer(L.polygon(sp.rings(area, app.facts.unit_deg), { ...style, fillColor: "#9a3412", fillOpacity: 0.2 }));
    }
    return [layered("barriers", "#9a3412", "line", shapes, false, lines.length + areas.length)];
  }

  function overlays(app, drawn) {
    const { words, facts, map } = app;
    const layered = (key, colour, kind, layer, on, count, name) => ({ key, colour, kind, on, count,
      name: name || words.t("overlay_" + key), show: (yes) => (yes ? map.addLayer(layer) : map.removeLayer(layer)) });
    const view = (draw, pane) => new sp.View(draw, { pane });
    const radiusAt = (zoom) => (zoom < 8 ? 1 : zoom < 10 ? 1.6 : zoom < 12 ? 2.4 : 3.4);
    const sites = siteLayers(app);
    const branches = branchLayers(app);
    const plan = [
      layered("moves", sp.MOVE, "line", moveLayer(app), true, app.moves.length),
      layered("destinations", sp.MOVE, "ring", sites.destinations, true, app.moves.length),
      layered("change", sp.GAINED, "fill", app.changeCells, false),
      layered("clusters", "#6d28d9", "line", view(sp.drawLinks(facts.clusters, "#6d28d9"), "links"), false,
        facts.clusters.from_lon.length),
      layered("rejected", "#64748b", "ring", sites.rejected, false, app.rejected.length),
    ];
    const now = Object.keys(sp.FORMAT_STYLE).filter((format) => branches[format]).map((format) => layered(
      "branches_" + format, sp.FORMAT_STYLE[format][0], "dot", branches[format], true,
      branches[format].getLayers().length, words.t("overlay_branches", { format: words.of("formats", format) })));
    const around = [
      layered("rivals", "#8a94a3", "dot", view(sp.drawDots(facts.rivals, "rgba(92, 103, 120, 0.75)", radiusAt), "dots"),
        false, facts.rivals.lon.length),
      ...pointLayers(app, layered, view, radiusAt),
      ...barrierLayers(app, layered),
      layered("inclusive", "#b0568a", "tint", drawn.tint, true, app.counties.filter((c) => c.inclusive).length),
      layered("names", PAPER_INK, "text", view(names(app), "names"), true),
    ];
    return { plan, now, around };
  }

  function zoneOverlays(app) {
    const kinds = Object.keys(sp.CLASS_COLOURS);
    const counts = Object.fromEntries(kinds.map((kind) => [kind, 0]));
    for (const zone of app.zones) if (zone.zone_class in counts) counts[zone.zone_class] += 1;
    const codeOf = app.zones.map((zone) => kinds.indexOf(zone.zone_class) + 1);
    app.zoneCodes = Uint8Array.from(app.zoneOf, (zone) => codeOf[zone]);
    return kinds.map((kind) => ({ key: kind, colour: sp.CLASS_COLOURS[kind], kind: "fill",
      on: kind !== "inclusive", // whole counties: they are tinted as it is
      name: app.words.of("classes", kind), count: counts[kind], show: () => app.showZones() }));
  }

  function searchEntries(app) {
    const { words } = app;
    const entry = (name, kind, where, go, more) => ({ name, kind, where, go, key: (name + " " + (more || "")).toLowerCase() });
    const nameOf = (id) => (app.countyById.get(id) || { name: "" }).name;
    return [
      ...app.counties.map((c) => entry(c.name, words.t("county"), c.prefecture, () => {
        app.openCounty(c);
        app.map.flyToBounds(L.polygon(c.shape).getBounds(), { ...app.padding(), animate: !app.calm });
      })),
      ...app.branches.map((b) => entry(b.name, words.t("own_branch"), nameOf(b.county_id), () => {
        app.openBranch(b);
        app.fly([b]);
      }, b.id)),
      ...app.sites.filter((s) => app.moveBySite.has(s.id)).map((s) => entry(s.name, words.t("destination"),
        nameOf(s.county_id), () => { app.openSite(s); app.fly([s]); }, s.id)),
      ...app.townships.map((t) => entry(t.name, words.t("township"), nameOf(t.county_id), () => app.fly([t]))),
    ];
  }

  function frame(app, groups) {
    const { words } = app;
    const fold = el("button", { type: "button", class: "fold", "aria-expanded": "true", "aria-label": words.t("fold"),
      onclick: () => fold.setAttribute("aria-expanded", String(!app.panel.classList.toggle("folded"))) });
    app.fold = fold;
    const layers = el("div", {}, sp.baseSwitch(app),
      sp.overlaySwitch(app, words.t("group_plan"), groups.plan),
      sp.overlaySwitch(app, words.t("group_zones"), app.zoneOverlays),
      sp.overlaySwitch(app, words.t("group_now"), groups.now),
      sp.overlaySwitch(app, words.t("group_around"), groups.around));
    const tabs = sp.tabs(app, { moves: sp.moveList(app), layers, summary: sp.summary(app) });
    app.details = el("div", { class: "details", hidden: true, "aria-live": "polite" });
    app.main = el("div", { class: "main" }, tabs.list, tabs.stack);
    app.panel = el("aside", { class: "panel", "aria-label": words.t("panel") }, fold, sp.header(app),
      sp.search(app, searchEntries(app)), app.main, app.details);
    app.legend = el("div", { class: "legend", hidden: true });
    app.readout = el("div", { class: "readout", hidden: true });
    tabs.open("moves");
    document.body.prepend(app.panel);
    app.corner = el("div", { class: "corner" }, app.readout, app.legend);
    app.map.getContainer().parentNode.append(app.corner);
  }

  function prepare(map, app) {
    for (const [name, level] of Object.entries(sp.PANES)) map.createPane(name).style.zIndex = level;
    for (const name of ["land", "cells", "zones", "change", "names", "dots", "links"]) {
      map.getPane(name).style.pointerEvents = "none";
    }
    const most = { maxNativeZoom: 14, minNativeZoom: 4 };
    app.cells = new sp.Cells(app.lattice, { pane: "cells", ...most });
    app.zoneCells = new sp.Cells(app.lattice, { pane: "zones", ...most });
    app.changeCells = new sp.Cells(app.lattice, { pane: "change", ...most });
    app.chosen = L.layerGroup().addTo(map);
  }

  function controls(map, app) {
    const { words, lattice } = app;
    L.control.zoom({ position: "topright", zoomInTitle: words.t("zoom_in"), zoomOutTitle: words.t("zoom_out") }).addTo(map);
    const unit = (key) => " " + words.of("units", key);
    const Scale = L.Control.Scale.extend({
      _updateMetric(most) {
        const metres = this._getRoundNum(most);
        const shown = metres < 1000 ? metres + unit("m") : metres / 1000 + unit("km");
        this._updateScale(this._mScale, shown, metres / most);
      },
    });
    new Scale({ position: "bottomleft", imperial: false }).addTo(map);
    map.getContainer().setAttribute("aria-label", words.t("map"));
    map.setMinZoom(4);
    map.setMaxZoom(16);
    map.invalidateSize({ animate: false });
    const last = lattice.lat.length - 1;
    const region = L.latLngBounds([lattice.lat[0], lattice.west], [lattice.lat[last], lattice.east]);
    map.fitBounds(region, { ...app.padding(), animate: false });
    map.setMaxBounds(region.pad(4));
    map.on("mousemove", (event) => app.hover(event.latlng));
    map.on("mouseout", () => { app.readout.hidden = true; });
    map.on("click", (event) => app.openCell(event.latlng));
    map.on("zoomend", () => sizePins(app));
  }

  async function start(map) {
    const curtain = document.getElementById("curtain");
    try {
      await open(map);
      curtain.remove();
      document.documentElement.dataset.ready = String(Math.round(performance.now()));
    } catch (error) {
      curtain.textContent = curtain.dataset.trouble;
      throw error;
    }
  }

  async function open(map) {
    const [facts, mask, zone, change] = await Promise.all([sp.readFacts(), sp.block("mask"), sp.block("zone"), sp.block("change")]);
    const app = new App(map, facts, mask);
    document.title = facts.title;
    app.zoneOf = sp.zoneNumbers(zone, app.lattice.n);
    app.change = change;
    prepare(map, app);
    app.zoneOverlays = zoneOverlays(app);
    const drawn = borders(app);
    const groups = overlays(app, drawn);
    frame(app, groups);
    controls(map, app);
    for (const overlay of [...groups.plan, ...groups.now, ...groups.around]) if (overlay.on) overlay.show(true);
    app.showZones();
    app.showChange();
    map.addLayer(app.zoneCells);
    sizePins(app);
    await app.showBase();
    sp.app = app;
  }

  sp.start = start;
})(siteplanner);
