"use strict";
// Decodes the page's blocks: facts (JSON) and one byte a cell. Text leaves this page only as text nodes.
var siteplanner = {};

(function (sp) {
  const NOTHING = 0;
  const BEYOND = 255;
  const STEPS = 253; // codes 1 to 254 divide a scale into this many steps

  async function block(name) {
    const holder = document.getElementById("block-" + name);
    const packed = atob(holder.textContent);
    holder.remove();
    const bytes = new Uint8Array(packed.length);
    for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function readFacts() {
    return JSON.parse(new TextDecoder("utf-8").decode(await block("facts")));
  }

  // Northing of a latitude in the web projection, 0 at the north to 1 at the south.
  function worldY(lat) {
    const phi = (lat * Math.PI) / 180;
    return 0.5 - Math.log(Math.tan(Math.PI / 4 + phi / 2)) / (2 * Math.PI);
  }

  // The equal-area lattice: rows and columns are straight in latitude and longitude.
  class Lattice {
    constructor(facts, mask) {
      Object.assign(this, facts);
      this.y = Float64Array.from(facts.lat, worldY); // falls with the row
      this.x0 = (facts.west + 180) / 360;
      this.dx = (facts.east - facts.west) / 360 / facts.cols;
      this.index = new Int32Array(facts.rows * facts.cols).fill(-1);
      let n = 0;
      for (let k = 0; k < this.index.length; k++) {
        if (mask[k >> 3] & (1 << (k & 7))) this.index[k] = n++;
      }
      this.n = n;
    }
    rowAt(y) {
      let low = 0;
      let high = this.rows;
      if (y > this.y[0] || y <= this.y[high]) return -1;
      while (high - low > 1) {
        const mid = (low + high) >> 1;
        if (y <= this.y[mid]) low = mid;
        else high = mid;
      }
      return low;
    }
    colAt(x) {
      const col = Math.floor((x - this.x0) / this.dx);
      return col >= 0 && col < this.cols ? col : -1;
    }
    at(latlng) {
      const row = this.rowAt(worldY(latlng.lat));
      const col = this.colAt((latlng.lng + 180) / 360);
      return row < 0 || col < 0 ? -1 : this.index[row * this.cols + col];
    }
    lon(col) {
      return this.west + ((this.east - this.west) * col) / this.cols;
    }
  }

  // One cell layer: codes by cell and what a code means.
  class Scale {
    constructor(described) {
      Object.assign(this, described);
      this.codes = null;
    }
    async load() {
      if (!this.loading) this.loading = block(this.key);
      this.codes = await this.loading;
      return this;
    }
    value(code) {
      if (code === NOTHING) return 0;
      const share = (code - 1) / STEPS;
      if (this.kind === "linear") return code === BEYOND ? Infinity : share * this.high;
      return this.low * Math.pow(this.high / this.low, share);
    }
    classOf(code) {
      const value = this.value(code);
      let k = 0;
      while (k < this.breaks.length && value >= this.breaks[k]) k++;
      return k;
    }
  }

  // Zone of each cell: three bytes, lowest first, one plane after the other.
  function zoneNumbers(bytes, n) {
    const zone = new Uint32Array(n);
    for (let i = 0; i < n; i++) zone[i] = bytes[i] | (bytes[n + i] << 8) | (bytes[2 * n + i] << 16);
    return zone;
  }

  // Rings of whole units, each point as the step from the one before, to [lat, lng].
  function rings(coded, unit) {
    return coded.map(function (steps) {
      const points = [];
      let lon = 0;
      let lat = 0;
      for (let i = 0; i < steps.length; i += 2) {
        lon += steps[i];
        lat += steps[i + 1];
        points.push([lat * unit, lon * unit]);
      }
      return points;
    });
  }

  // Columns to records, with their number.
  function records(columns) {
    const names = Object.keys(columns);
    return columns[names[0]].map(function (_, i) {
      const record = { no: i };
      for (const name of names) record[name] = columns[name][i];
      return record;
    });
  }

  // Words and numbers in the reader's language.
  class Words {
    constructor(facts) {
      this.words = facts.words;
      this.tag = facts.language === "zh" ? "zh-CN" : "en";
    }
    of(section, key) {
      const words = this.words[section] || {};
      return Object.hasOwn(words, key) ? words[key] : String(key);
    }
    t(key, values) {
      return this.of("map", key).replace(/\{(\w+)\}/g, (all, name) =>
        values && Object.hasOwn(values, name) ? String(values[name]) : all);
    }
    number(value, decimals, signed) {
      if (value === null || value === undefined) return "–";
      if (!Number.isFinite(value)) return "∞";
      const places = decimals || 0;
      const shown = Math.abs(value) < 0.5 / Math.pow(10, places) ? 0 : value; // no minus before a zero
      return new Intl.NumberFormat(this.tag, {
        maximumFractionDigits: places,
        signDisplay: signed ? "exceptZero" : "auto",
      }).format(shown);
    }
    // Two significant digits are all that a coded cell can promise.
    about(value) {
      if (!Number.isFinite(value)) return "∞";
      const digits = value >= 100 ? 3 : 2;
      return new Intl.NumberFormat(this.tag, { maximumSignificantDigits: digits }).format(value);
    }
    percent(value, decimals, signed) {
      if (value === null || value === undefined) return "–";
      return new Intl.NumberFormat(this.tag, {
        style: "percent",
        maximumFractionDigits: decimals,
        signDisplay: signed ? "exceptZero" : "auto",
      }).format(value);
    }
  }

  Object.assign(sp, { block, readFacts, Lattice, Scale, zoneNumbers, rings, records, Words, worldY });
})(siteplanner);
