"use strict";
// What is drawn: cells as tiles of pixels, and canvases for dots, names and lines.
(function (sp) {
  const EDGE_FROM_PX = 5; // zone edges are drawn when a cell is at least this wide

  // A pixel as the canvas holds it: opaque; panes are what is seen through.
  function packed(colour) {
    const n = parseInt(colour.slice(1), 16);
    return ((255 << 24) | ((n & 255) << 16) | (n & 0xff00) | (n >> 16)) >>> 0;
  }

  // First lattice number and one past the last for each pixel; equal to -1 outside.
  function spans(at, from, step, count) {
    const first = new Int32Array(count);
    for (let i = 0; i < count; i++) first[i] = at(from + (i + 0.5) * step);
    return first;
  }

  const Cells = L.GridLayer.extend({
    options: { tileSize: 256, updateWhenZooming: false, keepBuffer: 1 },
    initialize: function (lattice, options) {
      L.setOptions(this, options);
      this.lattice = lattice;
      this.codes = null;
      this.colours = new Uint32Array(256);
      this.edges = null;
    },
    // `edges`: zone by cell, to draw borders; `highest`: what a pixel over several cells shows.
    show: function (codes, colours, how) {
      this.codes = codes;
      this.colours = colours;
      this.edges = how.edges || null;
      this.highest = how.highest;
      if (this._map) this.redraw();
    },
    createTile: function (coords) {
      const size = this.getTileSize().x;
      const ratio = Math.min(2, Math.ceil(window.devicePixelRatio || 1));
      const tile = L.DomUtil.create("canvas", "cell-tile");
      tile.width = tile.height = size * ratio;
      if (this.codes) this._paint(tile, coords, size * ratio);
      return tile;
    },
    _paint: function (tile, coords, pixels) {
      const lattice = this.lattice;
      const step = 1 / (pixels * Math.pow(2, coords.z));
      const x0 = coords.x / Math.pow(2, coords.z);
      const y0 = coords.y / Math.pow(2, coords.z);
      const cols = spans((x) => lattice.colAt(x), x0, step, pixels);
      const rows = spans((y) => lattice.rowAt(y), y0, step, pixels);
      if (cols.every((c) => c < 0) || rows.every((r) => r < 0)) return;
      const context = tile.getContext("2d");
      const image = context.createImageData(pixels, pixels);
      const out = new Uint32Array(image.data.buffer);
      const wide = this.highest ? Math.max(1, Math.min(4, Math.round(step / lattice.dx))) : 1;
      for (let i = 0; i < pixels; i++) {
        if (rows[i] < 0) continue;
        for (let j = 0; j < pixels; j++) {
          if (cols[j] >= 0) out[i * pixels + j] = this.colours[this._code(rows[i], cols[j], wide)];
        }
      }
      context.putImageData(image, 0, 0);
      if (this.edges && lattice.dx / step >= EDGE_FROM_PX) this._edges(context, rows, cols, pixels);
    },
    // The highest code of the cells under a pixel: small places must not vanish from a view of the whole.
    _code: function (row, col, wide) {
      const lattice = this.lattice;
      let best = 0;
      for (let r = row; r < Math.min(row + wide, lattice.rows); r++) {
        for (let c = col; c < Math.min(col + wide, lattice.cols); c++) {
          const i = lattice.index[r * lattice.cols + c];
          if (i >= 0 && this.codes[i] > best) best = this.codes[i];
        }
      }
      return best;
    },
    _zone: function (row, col) {
      if (row < 0 || col < 0) return -1;
      const i = this.lattice.index[row * this.lattice.cols + col];
      return i >= 0 && this.colours[this.codes[i]] ? this.edges[i] : -1;
    },
    _edges: function (context, rows, cols, pixels) {
      context.fillStyle = "rgba(20, 26, 36, 0.55)";
      for (let i = 1; i < pixels; i++) {
        const turned = rows[i] !== rows[i - 1];
        for (let j = 1; j < pixels; j++) {
          if (!turned && cols[j] === cols[j - 1]) continue;
          const here = this._zone(rows[i], cols[j]);
          if (here !== this._zone(rows[i - 1], cols[j]) || here !== this._zone(rows[i], cols[j - 1])) {
            context.fillRect(j, i, 1, 1);
          }
        }
      }
    },
  });

  // A canvas over the view, drawn anew after each move: for thousands of dots, and for names.
  const View = L.Layer.extend({
    options: { pad: 0.2 },
    initialize: function (draw, options) {
      L.setOptions(this, options);
      this._draw = draw;
    },
    getEvents: function () {
      return { moveend: this.redraw, resize: this.redraw, zoomanim: this._animate };
    },
    onAdd: function () {
      this._canvas = L.DomUtil.create("canvas", "view leaflet-zoom-animated");
      this.getPane().appendChild(this._canvas);
      this.redraw();
    },
    onRemove: function () {
      this._canvas.remove();
    },
    redraw: function () {
      const map = this._map;
      const ratio = window.devicePixelRatio || 1;
      const extra = map.getSize().multiplyBy(this.options.pad).round();
      const size = map.getSize().add(extra.multiplyBy(2));
      const corner = map.containerPointToLayerPoint(extra.multiplyBy(-1));
      const canvas = this._canvas;
      canvas.width = size.x * ratio;
      canvas.height = size.y * ratio;
      canvas.style.width = size.x + "px";
      canvas.style.height = size.y + "px";
      L.DomUtil.setTransform(canvas, corner, 1);
      this._north = map.layerPointToLatLng(corner);
      const context = canvas.getContext("2d");
      context.scale(ratio, ratio);
      this._draw(context, (lat, lon) => map.latLngToLayerPoint([lat, lon])._subtract(corner), size, map.getZoom());
      this._zoom = map.getZoom();
    },
    _animate: function (event) {
      const scale = this._map.getZoomScale(event.zoom, this._zoom);
      const corner = this._map._latLngToNewLayerPoint(this._north, event.zoom, event.center);
      L.DomUtil.setTransform(this._canvas, corner, scale);
    },
  });

  function drawDots(columns, colour, radiusAt) {
    return function (context, project, size, zoom) {
      context.fillStyle = colour;
      const radius = radiusAt(zoom);
      for (let i = 0; i < columns.lon.length; i++) {
        const p = project(columns.lat[i], columns.lon[i]);
        if (p.x < 0 || p.y < 0 || p.x > size.x || p.y > size.y) continue;
        context.beginPath();
        context.arc(p.x, p.y, radius, 0, 2 * Math.PI);
        context.fill();
      }
    };
  }

  function drawLinks(columns, colour) {
    return function (context, project) {
      context.strokeStyle = colour;
      context.lineWidth = 1.4;
      context.beginPath();
      for (let i = 0; i < columns.from_lon.length; i++) {
        const a = project(columns.from_lat[i], columns.from_lon[i]);
        const b = project(columns.to_lat[i], columns.to_lon[i]);
        context.moveTo(a.x, a.y);
        context.lineTo(b.x, b.y);
      }
      context.stroke();
    };
  }

  // Names, the most important first; one that would cover another is left out.
  function drawNames(groups, fontFamily) {
    return function (context, project, size, zoom) {
      const taken = [];
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.lineJoin = "round";
      for (const group of groups) {
        if (zoom < group.from || zoom >= group.until) continue;
        context.font = group.weight + " " + group.size + "px " + fontFamily;
        context.fillStyle = group.colour;
        context.strokeStyle = "rgba(255, 255, 255, 0.9)";
        context.lineWidth = 3;
        for (let i = 0; i < group.names.length; i++) {
          const p = project(group.lat[i], group.lon[i]);
          if (p.x < 0 || p.y < 0 || p.x > size.x || p.y > size.y) continue;
          p.y -= group.rise || 0; // over the dot that stands at the same place
          const half = context.measureText(group.names[i]).width / 2 + 4;
          const box = [p.x - half, p.y - group.size * 0.8, p.x + half, p.y + group.size * 0.8];
          if (taken.some((t) => t[0] < box[2] && box[0] < t[2] && t[1] < box[3] && box[1] < t[3])) continue;
          taken.push(box);
          context.strokeText(group.names[i], p.x, p.y);
          context.fillText(group.names[i], p.x, p.y);
        }
      }
    };
  }

  // Points of a gently bent line between two places, so that moves there and back do not cover each other.
  function bend(from, to) {
    const a = { x: from.lng, y: from.lat };
    const b = { x: to.lng, y: to.lat };
    const control = { x: (a.x + b.x) / 2 - (b.y - a.y) * 0.16, y: (a.y + b.y) / 2 + (b.x - a.x) * 0.16 };
    const points = [];
    for (let k = 0; k <= 24; k++) {
      const t = k / 24;
      const u = 1 - t;
      points.push([
        u * u * a.y + 2 * u * t * control.y + t * t * b.y,
        u * u * a.x + 2 * u * t * control.x + t * t * b.x,
      ]);
    }
    return points;
  }

  // Edges of one zone as lines, for the zone that is looked at.
  function outline(lattice, zoneOf, zone) {
    const lines = [];
    const of = (r, c) => {
      const i = r < 0 || c < 0 || r >= lattice.rows || c >= lattice.cols ? -1 : lattice.index[r * lattice.cols + c];
      return i >= 0 && zoneOf[i] === zone;
    };
    for (let r = 0; r < lattice.rows; r++) {
      for (let c = 0; c < lattice.cols; c++) {
        if (!of(r, c)) continue;
        const south = lattice.lat[r];
        const north = lattice.lat[r + 1];
        const west = lattice.lon(c);
        const east = lattice.lon(c + 1);
        if (!of(r - 1, c)) lines.push([[south, west], [south, east]]);
        if (!of(r + 1, c)) lines.push([[north, west], [north, east]]);
        if (!of(r, c - 1)) lines.push([[south, west], [north, west]]);
        if (!of(r, c + 1)) lines.push([[south, east], [north, east]]);
      }
    }
    return lines;
  }

  Object.assign(sp, { Cells, View, packed, drawDots, drawLinks, drawNames, bend, outline });
})(siteplanner);
