"use strict";
// Fills the figures of a page and answers clicks, keys and the slider. Rows and columns count
// from 0; a cell is a pixel, or a square block of pixels in a large scene.
(async () => {
  const values = JSON.parse(document.getElementById("values").textContent);
  const kinds = {float64: Float64Array, float32: Float32Array, uint32: Uint32Array,
                 uint16: Uint16Array, uint8: Uint8Array};
  const element = id => document.getElementById(id);

  async function unpacked(name) {
    const stored = element("array-" + name);
    const bytes = Uint8Array.from(atob(stored.textContent), each => each.charCodeAt(0));
    stored.remove();
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new kinds[values.arrays[name].type](await new Response(stream).arrayBuffer());
  }

  const arrays = {};
  for (const name of Object.keys(values.arrays)) arrays[name] = await unpacked(name);

  // --- the figures -------------------------------------------------------------------------
  while (!(window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].get_model_by_name("score")))
    await new Promise(done => setTimeout(done, 20));
  const model = name => Bokeh.documents.map(each => each.get_model_by_name(name)).find(Boolean);
  const maps = {picture: model("picture"), score: model("score")};
  const columns = maps.picture.x_range, rows = maps.picture.y_range;

  const bands = values.bands, block = values.block, [cellRows, cellColumns] = values.cells;
  const cells = cellRows * cellColumns;

  function colour(text, alpha = 255) {
    const number = parseInt(text.slice(1), 16);
    return (alpha << 24 | (number & 255) << 16 | (number & 0xff00) | number >> 16) >>> 0;
  }

  const Pixels = model("picture_image").data.image[0].constructor;

  // Bokeh draws the first row of an image at the bottom of its range, which is reversed here.
  function image(paint) {
    const pixels = new Uint32Array(cells);
    for (let cell = 0; cell < cells; cell++) pixels[cell] = paint(cell);
    return new Pixels(pixels, [cellRows, cellColumns]);
  }

  function show(name, pixels) {
    model(name).data = {x: [0], y: [0], dw: [cellColumns * block], dh: [cellRows * block],
                        image: [pixels]};
  }

  show("picture_image", image(cell => {
    const at = 3 * cell, p = arrays.picture;
    return (0xff000000 | p[at + 2] << 16 | p[at + 1] << 8 | p[at]) >>> 0;
  }));
  const palette = values.palette.map(each => colour(each));
  const grey = colour("#9E9E9E");
  show("score_image", image(cell => {
    const level = arrays.levels[cell];
    if (level === values.noData) return grey;
    return palette[Math.round(level / values.levels * (palette.length - 1))];
  }));

  // --- the cut: mask and groups --------------------------------------------------------------
  const state = {step: values.rates.run, groups: [], mask: new Uint8Array(cells), order: "score",
                 falling: true, chosen: null};
  const peakOf = new Map(values.detections.map(each => [each.row * values.columns + each.column, each]));

  function cut(threshold) {
    const mask = new Uint8Array(cells), groups = [];
    for (let cell = 0; cell < cells; cell++) mask[cell] = arrays.score[cell] > threshold ? 1 : 0;
    const seen = new Uint8Array(cells), stack = [];
    for (let first = 0; first < cells; first++) {
      if (!mask[first] || seen[first]) continue;
      const members = [];
      stack.push(first);
      seen[first] = 1;
      while (stack.length) {
        const cell = stack.pop(), row = Math.floor(cell / cellColumns), column = cell % cellColumns;
        members.push(cell);
        for (let r = Math.max(row - 1, 0); r <= Math.min(row + 1, cellRows - 1); r++)
          for (let c = Math.max(column - 1, 0); c <= Math.min(column + 1, cellColumns - 1); c++) {
            const other = r * cellColumns + c;
            if (mask[other] && !seen[other]) { seen[other] = 1; stack.push(other); }
          }
      }
      if (block === 1 && members.length < values.minSize) {
        for (const cell of members) mask[cell] = 0;
        continue;
      }
      members.sort((a, b) => a - b);
      let peak = members[0];
      for (const cell of members) if (arrays.score[cell] > arrays.score[peak]) peak = cell;
      const place = arrays.places[peak];
      groups.push({members, place, row: Math.floor(place / values.columns),
                   column: place % values.columns, score: arrays.score[peak],
                   pixels: members.length, listed: peakOf.get(place) || null});
    }
    groups.sort((a, b) => b.score - a.score || a.place - b.place);
    groups.forEach((group, index) => { group.number = index + 1; });
    return {mask, groups};
  }

  const share = rate => `1 in ${Math.round(1 / rate).toLocaleString("en")}`;

  function recut(step) {
    state.step = step;
    const {mask, groups} = cut(values.rates.thresholds[step]);
    state.mask = mask;
    state.groups = groups;
    element("rate").value = step;
    const marked = mask.reduce((sum, each) => sum + each, 0);
    const unit = block === 1 ? "pixels" : `blocks of ${block} × ${block} pixels`;
    const rate = values.rates.rates[step];
    const text = `${share(rate)} (${rate.toPrecision(2)}): ${groups.length} detections, ${marked} ${unit}`
      + ` above ${values.rates.thresholds[step].toPrecision(6)}`
      + (step === values.rates.run ? ", the rate of the run." : ".");
    element("cut").textContent = text;
    element("rate").setAttribute("aria-valuetext", text);
    drawMask();
    drawList();
  }

  function drawMask() {
    const on = element("show-mask").checked, marked = colour(values.colours.marked, 235);
    const pixels = image(cell => on && state.mask[cell] ? marked : 0);
    show("picture_mask", pixels);
    show("score_mask", pixels);
    const named = on ? state.groups.slice(0, 100) : [];
    for (const name of ["picture_marks", "score_marks"])
      model(name).data = {x: named.map(each => each.column + 0.5), y: named.map(each => each.row + 0.5),
                          text: named.map(each => String(each.number))};
  }

  // --- the list --------------------------------------------------------------------------------
  const wave = band => values.wavelengths ? `${values.wavelengths[band].toFixed(0)} nm` : `band ${band}`;
  const heads = [
    ["number", "No.", group => group.number],
    ["pixels", block === 1 ? "Pixels" : "Blocks", group => group.pixels],
    ["score", "Peak score", group => group.score],
    ["row", "Row", group => group.row],
    ["column", "Column", group => group.column],
    ...values.evidenceNames.map(name => ["evidence " + name, name,
      group => group.listed && group.listed.evidence ? group.listed.evidence[name] : null]),
    ["bands", "Strongest bands", group => group.listed && group.listed.explained
      ? group.listed.explained.strongest[0] ?? null : null],
  ];

  function told(key, group, value) {
    if (key === "bands")
      return group.listed && group.listed.explained
        ? group.listed.explained.strongest.map(wave).join(", ") : "";
    if (value === null || value === undefined) return "";
    if (key === "score") return value.toPrecision(5);
    if (key.startsWith("evidence ")) return `${Math.round(100 * value)} %`;
    return String(value);
  }

  function drawList() {
    const chosen = heads.find(each => each[0] === state.order)[2];
    const sorted = [...state.groups].sort((a, b) => {
      const x = chosen(a), y = chosen(b);
      if (x === null || y === null) return (x === null) - (y === null);
      return (state.falling ? y - x : x - y) || a.number - b.number;
    });
    element("heads").replaceChildren(...heads.map(([key, label]) => {
      const head = document.createElement("th"), button = document.createElement("button");
      head.scope = "col";
      const here = key === state.order;
      head.setAttribute("aria-sort", here ? (state.falling ? "descending" : "ascending") : "none");
      button.type = "button";
      button.textContent = label + (here ? (state.falling ? " ▾" : " ▴") : "");
      button.dataset.key = key;
      button.addEventListener("click", () => {
        state.falling = here ? !state.falling : key === "score" || key === "pixels";
        state.order = key;
        drawList();
        element("heads").querySelector(`[data-key="${key}"]`).focus();
      });
      head.append(button);
      return head;
    }));
    const shown = sorted.slice(0, 500);
    element("rows").replaceChildren(...shown.map(group => {
      const row = document.createElement("tr");
      row.dataset.number = group.number;
      heads.forEach(([key, , value], index) => {
        const cell = document.createElement("td");
        if (index === 0) {
          const button = document.createElement("button");
          button.type = "button";
          button.textContent = group.number;
          button.setAttribute("aria-label", `Show detection ${group.number}`);
          cell.append(button);
        } else cell.textContent = told(key, group, value(group));
        row.append(cell);
      });
      row.addEventListener("click", () => choose(group.row, group.column, group));
      return row;
    }));
    element("list-note").textContent = sorted.length > shown.length
      ? `The first ${shown.length} of ${sorted.length} are listed.` : "";
    markRow();
  }

  function markRow() {
    for (const row of element("rows").children) {
      const here = state.chosen && state.chosen.group
        && Number(row.dataset.number) === state.chosen.group.number;
      row.setAttribute("aria-current", here ? "true" : "false");
    }
  }

  // --- spectra -----------------------------------------------------------------------------------
  function spectrumAt(row, column) {
    const {block: size, cells: [, width], low, step} = values.spectra;
    const at = Math.floor(row / size) * width + Math.floor(column / size);
    const place = arrays.spectraPlaces[at];
    const found = new Float64Array(bands);
    for (let band = 0; band < bands; band++)
      found[band] = values.removed[band] ? NaN : low[band] + arrays.numbers[at * bands + band] * step[band];
    return {values: found, row: Math.floor(place / values.columns), column: place % values.columns};
  }

  function noData(row, column) {
    const cell = Math.floor(row / block) * cellColumns + Math.floor(column / block);
    return arrays.levels[cell] === values.noData;
  }

  function curve(index, which) {
    const start = (index * 7 + which) * bands;
    return arrays.curves.subarray(start, start + bands);
  }

  function nearestGroup(spectrum) {
    let best = 0, least = Infinity;
    for (let group = 0; group < values.groups; group++) {
      let sum = 0;
      for (let band = 0; band < bands; band++) {
        const step = (spectrum[band] - arrays.groupMeans[group * bands + band]) / arrays.scale[band];
        if (Number.isFinite(step)) sum += step * step;
      }
      if (sum < least) { least = sum; best = group; }
    }
    return best;
  }

  function contributionsOfRX(spectrum) {
    const d = new Float64Array(bands), out = new Float64Array(bands);
    for (let band = 0; band < bands; band++)
      d[band] = values.removed[band] ? 0 : spectrum[band] - arrays.centre[band];
    for (let band = 0; band < bands; band++) {
      if (values.removed[band]) { out[band] = NaN; continue; }
      let sum = 0;
      for (let other = 0; other < bands; other++) sum += arrays.precision[band * bands + other] * d[other];
      out[band] = d[band] * sum;
    }
    return out;
  }

  // Bands in the order of the axis: wavelengths need not rise.
  const order = [...values.axis.keys()].sort((a, b) => values.axis[a] - values.axis[b]);
  const axis = order.map(band => values.axis[band]);
  const along = spectrum => order.map(band => spectrum[band]);
  const nothing = {x: [], y: []};
  const line = (name, spectrum) => {
    model(name).data = spectrum && spectrum.some(Number.isFinite) ? {x: axis, y: along(spectrum)} : nothing;
  };

  function strongest(parts, magnitude) {
    const size = band => magnitude ? Math.abs(parts[band]) : parts[band];
    return [...parts.keys()].filter(band => size(band) > 0)
      .sort((a, b) => size(b) - size(a)).slice(0, 3);
  }

  function drawSpectra(row, column, group) {
    const spectrum = spectrumAt(row, column);
    const listed = group ? group.listed : null;
    const known = listed && listed.label <= values.withSpectra;
    const atPeak = known && row === listed.row && column === listed.column;
    const index = known ? listed.label - 1 : -1;
    const own = atPeak ? curve(index, 0) : spectrum.values;
    line("pixel", own);
    line("mean", known ? curve(index, 1) : null);
    line("ring", known ? curve(index, 2) : null);
    line("nearest", atPeak ? curve(index, 6) : null);
    const of = nearestGroup(own);
    const part = array => array.subarray(of * bands, (of + 1) * bands);
    const [mean, low, high] = atPeak ? [3, 4, 5].map(which => curve(index, which))
      : [part(arrays.groupMeans), part(arrays.groupLow), part(arrays.groupHigh)];
    line("component_mean", mean);
    model("component_range").data = {x: axis, low: along(low), high: along(high)};
    const away = Math.max(Math.abs(spectrum.row - row), Math.abs(spectrum.column - column));
    element("spectra-text").textContent = atPeak
      ? `Spectra of detection ${group.number} at its peak, beside its background.`
      : `Spectrum of row ${spectrum.row}, column ${spectrum.column}`
        + (away ? `, ${away} pixels from the chosen one, since the page keeps one of `
          + `${values.spectra.block} × ${values.spectra.block} pixels` : "")
        + `; values within ${(100 * values.spectra.error).toPrecision(2)} % of the range of a band.`;

    let parts, text;
    if (atPeak && listed.explained) {
      const start = index * bands, {method, quantity, value, baseline, completeness} = listed.explained;
      parts = arrays.contributions.subarray(start, start + bands);
      text = method === "decoded residual" ? `Bands of the ${quantity}`
        : `Contributions to the ${quantity}: ${value.toPrecision(4)}`
          + (baseline ? ` less ${baseline.toPrecision(4)} of the background` : "")
          + (completeness ? `, complete to ${(100 * completeness).toPrecision(2)} %` : "");
      text += ` (${method})`;
    } else {
      parts = contributionsOfRX(own);
      text = `Contributions to RX with ridge ${values.ridge}: how far the spectrum lies from the mean of the background, without detections`;
    }
    const best = strongest(parts, atPeak && listed.explained && listed.explained.method === "decoded residual");
    element("contributions-text").textContent = `${text}. Strongest: ${best.map(wave).join(", ") || "none"}.`;
    model("bars").data = {
      x: axis, top: along(parts).map(each => Number.isFinite(each) ? each : 0),
      width: order.map(band => values.widths[band]),
      colour: along(parts).map(each => each < 0 ? values.colours.negative : values.colours.positive),
    };
    window.lrenPage.shown = {spectrum: Array.from(own), contributions: Array.from(parts), strongest: best};
  }

  // --- coordinates -------------------------------------------------------------------------------
  function between(grid, row, column) {
    const find = (nodes, at) => {
      let low = 0;
      while (low < nodes.length - 2 && nodes[low + 1] <= at) low++;
      if (nodes.length === 1) return [0, 0, 0];
      return [low, low + 1, (at - nodes[low]) / (nodes[low + 1] - nodes[low])];
    };
    const [r0, r1, u] = find(grid.rows, row), [c0, c1, v] = find(grid.columns, column);
    const mix = a => (1 - u) * ((1 - v) * a[r0][c0] + v * a[r0][c1])
      + u * ((1 - v) * a[r1][c0] + v * a[r1][c1]);
    return [mix(grid.x), mix(grid.y)];
  }

  function coordinates(row, column) {
    const place = values.place, texts = [];
    let at = null;
    if (place.transform) {
      const [a, b, c, d, e, f] = place.transform, right = column + 0.5, down = row + 0.5;
      at = [a * right + b * down + c, d * right + e * down + f];
    } else if (place.positions) at = between(place.positions, row, column);
    if (at) texts.push(`x ${at[0].toFixed(Math.abs(at[0]) > 1000 ? 1 : 6)}, y ${at[1].toFixed(Math.abs(at[1]) > 1000 ? 1 : 6)}`
      + (place.crs ? ` (${place.crs})` : " (coordinate system unknown)"));
    if (place.globe) {
      const [longitude, latitude] = between(place.globe, row, column);
      const wrapped = ((longitude + 180) % 360 + 360) % 360 - 180;
      texts.push(`longitude ${wrapped.toFixed(6)}°, latitude ${latitude.toFixed(6)}°`
        + (place.globe_error > 0.5 ? ` (within ${Math.ceil(place.globe_error)} m)` : ""));
    }
    return texts;
  }

  // --- choosing and zooming ------------------------------------------------------------------------
  function choose(row, column, group) {
    row = Math.min(Math.max(row, 0), values.rows - 1);
    column = Math.min(Math.max(column, 0), values.columns - 1);
    const cell = Math.floor(row / block) * cellColumns + Math.floor(column / block);
    if (group === undefined)
      group = state.mask[cell] ? state.groups.find(each => each.members.includes(cell)) || null : null;
    state.chosen = {row, column, group};
    for (const name of ["picture_chosen", "score_chosen"])
      model(name).data = {x: [column + 0.5], y: [row + 0.5]};
    const empty = noData(row, column);
    const texts = [`Row ${row}, column ${column}`, ...coordinates(row, column),
      empty ? "no data" : `score ${arrays.score[cell].toPrecision(5)}`
        + (block > 1 ? " (highest of its block)" : "")];
    if (group) texts.push(`detection ${group.number}`);
    element("pixel").textContent = texts.join("; ") + ".";
    if (empty) {
      for (const name of ["pixel", "mean", "ring", "nearest", "component_mean"]) line(name, null);
      // Not empty: a range of the figures could not be made of nothing.
      const zeros = axis.map(() => 0);
      model("component_range").data = {x: axis, low: zeros, high: zeros};
      model("bars").data = {x: axis, top: zeros, width: zeros, colour: axis.map(() => "black")};
      element("spectra-text").textContent = "The pixel holds no data.";
      element("contributions-text").textContent = "";
    } else drawSpectra(row, column, group);
    markRow();
    keepInSight(row, column);
  }

  function keepInSight(row, column) {
    const left = Math.min(columns.start, columns.end), right = Math.max(columns.start, columns.end);
    const top = Math.min(rows.start, rows.end), bottom = Math.max(rows.start, rows.end);
    if (column < left || column > right || row < top || row > bottom)
      show_(column + 0.5, row + 0.5, right - left, bottom - top);
  }

  function show_(x, y, width, height) {
    columns.setv({start: x - width / 2, end: x + width / 2});
    rows.setv({start: y + height / 2, end: y - height / 2});
  }

  function zoom(factor) {
    const x = 0.5 * (columns.start + columns.end), y = 0.5 * (rows.start + rows.end);
    const at = factor < 1 && state.chosen ? [state.chosen.column + 0.5, state.chosen.row + 0.5] : [x, y];
    show_(...at, Math.abs(columns.end - columns.start) * factor, Math.abs(rows.end - rows.start) * factor);
  }

  // Pixels are square on the screen: the axis with room to spare shows more than the scene.
  function whole() {
    const wide = maps.score.inner_width || 1, high = maps.score.inner_height || 1;
    const scale = Math.max(values.columns / wide, values.rows / high);
    show_(values.columns / 2, values.rows / 2, scale * wide, scale * high);
  }

  function step(by) {
    if (!state.groups.length) return;
    const here = state.chosen && state.chosen.group ? state.chosen.group.number - 1 : (by > 0 ? -1 : 0);
    const group = state.groups[(here + by + state.groups.length) % state.groups.length];
    choose(group.row, group.column, group);
    const row = element("rows").querySelector(`[data-number="${group.number}"]`);
    if (row) row.scrollIntoView({block: "nearest"});
  }

  for (const each of Object.values(maps))
    each.on_event("tap", event => choose(Math.floor(event.y), Math.floor(event.x)));
  element("maps").addEventListener("keydown", event => {
    const at = state.chosen || {row: 0, column: 0};
    const moves = {ArrowUp: [-block, 0], ArrowDown: [block, 0], ArrowLeft: [0, -block], ArrowRight: [0, block]};
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key]) choose(at.row + moves[event.key][0], at.column + moves[event.key][1]);
    else if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-" || event.key === "−") zoom(2);
    else if (event.key === "0") whole();
    else if (event.key === "n") step(1);
    else if (event.key === "p") step(-1);
    else return;
    event.preventDefault();
  });
  element("zoom-in").addEventListener("click", () => zoom(0.5));
  element("zoom-out").addEventListener("click", () => zoom(2));
  element("zoom-reset").addEventListener("click", whole);
  element("rate").max = values.rates.rates.length - 1;
  element("rate").addEventListener("input", event => recut(Number(event.target.value)));
  element("rate-run").addEventListener("click", () => recut(values.rates.run));
  element("show-mask").addEventListener("change", drawMask);

  window.addEventListener("resize", () => setTimeout(whole, 200));
  window.lrenPage = {state, choose, recut, columns, rows, maps, model, spectrumAt};
  recut(values.rates.run);
  if (state.groups.length) choose(state.groups[0].row, state.groups[0].column, state.groups[0]);
  for (let waited = 0; !maps.score.inner_height && waited < 100; waited++)
    await new Promise(done => setTimeout(done, 20));
  whole();
  document.documentElement.dataset.ready = "true";
})();
