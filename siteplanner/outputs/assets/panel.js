"use strict";
// The panel beside the map: title, search, tabs, layer switches, legend.
(function (sp) {
  // Make an element; children are elements or text, never markup.
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "class") node.className = value;
      else if (name in node && typeof value !== "string") node[name] = value;
      else node.setAttribute(name, value);
    }
    for (const child of children.flat()) {
      if (child === null || child === undefined || child === false) continue;
      node.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
    return node;
  }

  function swatch(colour, kind) {
    const node = el("span", { class: "swatch " + (kind || "fill") });
    node.style.setProperty("--colour", colour);
    return node;
  }

  function header(app) {
    const { facts, words } = app;
    const v = facts.vintage;
    const years = v.earlier_year ? v.earlier_year + "–" + v.population_year : String(v.population_year);
    const vintage = [
      words.t("vintage_population", { years }),
      words.t("vintage_plan", { year: v.plan_year }),
      words.t("vintage_cells", { metres: words.number(v.cell_m) }),
    ];
    return el("header", { class: "head" },
      el("p", { class: "kicker" }, words.t("kicker")),
      el("h1", {}, facts.title),
      el("p", { class: "vintage" }, vintage.join(" · ")),
      facts.synthetic && el("p", { class: "badge", title: words.t("synthetic_long") }, words.t("synthetic")),
      el("p", { class: "vintage" }, facts.calibration));
  }

  // Tabs of the panel; returns the element and a function that opens one by its key.
  function tabs(app, pages) {
    const buttons = {};
    const bodies = {};
    const open = (key) => {
      for (const name of Object.keys(pages)) {
        buttons[name].setAttribute("aria-selected", String(name === key));
        buttons[name].tabIndex = name === key ? 0 : -1;
        bodies[name].hidden = name !== key;
      }
    };
    const step = (event) => {
      const names = Object.keys(pages);
      const turn = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!turn) return;
      const now = names.findIndex((name) => buttons[name] === document.activeElement);
      const next = names[(now + turn + names.length) % names.length];
      open(next);
      buttons[next].focus();
    };
    const list = el("div", { class: "tabs", role: "tablist", onkeydown: step });
    const stack = el("div", { class: "pages" });
    for (const [name, body] of Object.entries(pages)) {
      buttons[name] = el("button", {
        type: "button", role: "tab", id: "tab-" + name, "aria-controls": "page-" + name,
        onclick: () => { open(name); app.expand(); },
      }, app.words.t("tab_" + name));
      bodies[name] = el("section", { id: "page-" + name, role: "tabpanel", "aria-labelledby": "tab-" + name }, body);
      list.append(buttons[name]);
      stack.append(bodies[name]);
    }
    return { list, stack, open };
  }

  // Search over names; arrows and Enter choose.
  function search(app, entries) {
    const { words } = app;
    let found = [];
    let at = -1;
    const list = el("ul", { class: "found", id: "found", role: "listbox", hidden: true });
    const box = el("input", {
      type: "search", role: "combobox", autocomplete: "off", placeholder: words.t("search"),
      "aria-label": words.t("search"), "aria-controls": "found", "aria-expanded": "false",
    });
    const mark = () => [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === at)));
    const close = () => {
      list.hidden = true;
      box.setAttribute("aria-expanded", "false");
    };
    const choose = (entry) => {
      close();
      box.value = entry.name;
      entry.go();
    };
    const look = () => {
      const asked = box.value.trim().toLowerCase();
      found = asked ? entries.filter((entry) => entry.key.includes(asked)).slice(0, 12) : [];
      at = found.length ? 0 : -1;
      list.replaceChildren(...found.map((entry) => el("li", {
        role: "option", onmousedown: (event) => { event.preventDefault(); choose(entry); },
      }, el("span", {}, entry.name), el("small", {}, entry.kind + (entry.where ? " · " + entry.where : "")))));
      if (asked && !found.length) list.append(el("li", { class: "none" }, words.t("nothing_found")));
      list.hidden = !asked;
      box.setAttribute("aria-expanded", String(Boolean(asked)));
      mark();
    };
    box.addEventListener("input", look);
    box.addEventListener("blur", close);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
      if (event.key === "Enter" && found[at] && !list.hidden) choose(found[at]);
      const turn = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (turn && found.length) {
        event.preventDefault();
        at = (at + turn + found.length) % found.length;
        mark();
      }
    });
    return el("div", { class: "search" }, box, list);
  }

  // One of several: radio buttons in a row.
  function choice(name, options, chosen, onchange, label) {
    return el("div", { class: "choice", role: "radiogroup", "aria-label": label },
      options.map(([value, text]) => el("label", {},
        el("input", { type: "radio", name, value, checked: value === chosen, onchange: () => onchange(value) }),
        el("span", {}, text))));
  }

  function bandControl(app) {
    const { words } = app;
    const bands = ["night", "morning", "day", "evening"];
    const shown = el("output", {}, words.t("band_" + app.state.band));
    const slider = el("input", {
      type: "range", min: "0", max: "3", step: "1", value: String(bands.indexOf(app.state.band)),
      "aria-label": words.t("band"), "aria-valuetext": words.t("band_" + app.state.band),
    });
    slider.addEventListener("input", () => {
      app.state.band = bands[Number(slider.value)];
      shown.textContent = words.t("band_" + app.state.band);
      slider.setAttribute("aria-valuetext", shown.textContent);
      app.showBase();
    });
    const days = [["weekday", words.t("weekday")], ["weekend", words.t("weekend")]];
    return el("div", { class: "sub" },
      choice("day", days, app.state.day, (day) => { app.state.day = day; app.showBase(); }, words.t("day")),
      el("div", { class: "slider" }, slider, shown));
  }

  function whenControl(app) {
    const { words } = app;
    const options = [["before", words.t("before")], ["after", words.t("after")]];
    return el("div", { class: "sub" },
      choice("when", options, app.state.when, (when) => { app.state.when = when; app.showBase(); }, words.t("when")));
  }

  // Exclusive cell layers, with the control that belongs to the chosen one.
  function baseSwitch(app) {
    const subs = { footfall: bandControl, access: whenControl };
    const rows = app.bases.map((key) => {
      const sub = subs[key] ? subs[key](app) : null;
      const radio = el("input", {
        type: "radio", name: "base", value: key, checked: key === app.state.base,
        onchange: () => { app.state.base = key; update(); app.showBase(); },
      });
      return { key, sub, node: el("div", {}, el("label", { class: "row" }, radio,
        el("span", {}, app.words.t("base_" + key)), key !== "none" && el("small", {}, app.words.t("unit_" + key))), sub) };
    });
    const update = () => rows.forEach((row) => { if (row.sub) row.sub.hidden = row.key !== app.state.base; });
    update();
    return el("fieldset", {}, el("legend", {}, app.words.t("bases")), rows.map((row) => row.node));
  }

  function overlaySwitch(app, title, overlays) {
    return el("fieldset", {}, el("legend", {}, title), overlays.map((overlay) => {
      const box = el("input", {
        type: "checkbox", checked: overlay.on, "data-overlay": overlay.key,
        onchange: () => { overlay.on = box.checked; overlay.show(box.checked); app.drawLegend(); },
      });
      return el("label", { class: "row" }, box, swatch(overlay.colour, overlay.kind),
        el("span", {}, overlay.name),
        overlay.count !== undefined && el("small", {}, app.words.number(overlay.count)));
    }));
  }

  // Class breaks with colours and unit of the cell layer that is shown.
  function legend(app, scale, colours, zones) {
    const { words } = app;
    const classes = zones.length > 0 && el("div", { class: "classes" }, el("h2", {}, words.t("group_zones")),
      el("ol", {}, zones.map((zone) => el("li", {}, swatch(zone.colour, "fill"), zone.name))));
    if (!scale) return el("div", { class: "legend", hidden: !classes }, classes);
    const marks = scale.breaks.map((value) => words.number(value, value < 1 ? 2 : 1));
    const rows = [];
    for (let k = 0; k <= marks.length; k++) {
      const range = k === 0 ? words.t("below", { value: marks[0] || "∞" })
        : k === marks.length ? words.t("from", { value: marks[k - 1] })
        : marks[k - 1] + "–" + marks[k];
      rows.push(el("li", {}, swatch(colours[k], "fill"), range));
    }
    const note = scale.kind === "log"
      ? words.t("least_shown", { value: words.number(scale.low, 2) }) : words.t("far_not_shown");
    return el("div", { class: "legend" },
      el("h2", {}, app.baseName()), el("p", { class: "unit" }, words.t("unit_" + app.state.base)),
      el("ol", { class: "ramp" }, rows), note && el("p", { class: "note" }, note), classes);
  }

  Object.assign(sp, { el, swatch, header, tabs, search, baseSwitch, overlaySwitch, legend });
})(siteplanner);
