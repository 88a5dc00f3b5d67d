// Small charts as inline SVG: horizontal bars for groups, lines for time. Colours come from classes in chat.css.
const NS = "http://www.w3.org/2000/svg";
const WIDTH = 680, ROW = 22, LABEL = 170, PLOT_HEIGHT = 190;

function svg(tag, attributes, text) {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

export function shown(value, format) {
  if (value === null || value === undefined) return "none";
  const [kind, currency] = format.split(":");
  if (kind === "money") return new Intl.NumberFormat("en-US", { style: "currency", currency, maximumFractionDigits: 0 }).format(value);
  const text = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 }).format(value);
  return kind === "percent" ? `${text}%` : text;
}

function short(value, format) {
  const [kind, currency] = format.split(":");
  const options = { notation: "compact", maximumFractionDigits: 1, ...(kind === "money" ? { style: "currency", currency } : {}) };
  return new Intl.NumberFormat("en-US", options).format(value) + (kind === "percent" ? "%" : "");
}

const clip = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

export function chart(block) {
  const holder = document.createElement("div");
  holder.append(block.kind === "line" ? lines(block) : bars(block));
  if (block.series.length > 1) holder.append(legend(block.series));
  return holder;
}

function frame(height, title) {
  const node = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "chart", role: "img" });
  node.append(svg("title", {}, title));
  return node;
}

function spans(block, values) { // where each bar begins and ends; the steps of a waterfall hang from the total before
  let level = 0;
  return values.map((value, place) => {
    const size = value ?? 0, whole = block.kind !== "waterfall" || place === 0 || place === values.length - 1, from = whole ? 0 : level;
    level = from + size;
    return [Math.min(from, level), Math.max(from, level)];
  });
}

function bars(block) {
  const count = block.series.length, placed = block.series.map((series) => spans(block, series.values)), high = Math.max(1e-9, ...placed.flat().map((span) => span[1]));
  const step = ROW * Math.max(1, count * 0.7), node = frame(block.labels.length * step + 6, block.title), room = WIDTH - LABEL - 90;
  block.labels.forEach((label, row) => {
    const top = row * step + 3;
    node.append(svg("text", { x: LABEL - 8, y: top + step / 2 + 4, "text-anchor": "end" }, clip(label, 26)));
    block.series.forEach((series, place) => {
      const value = series.values[row], height = (step - 6) / count, y = top + place * height, [low, top_] = placed[place][row];
      const x = LABEL + (Math.max(0, low) / high) * room, width = Math.max(0, ((top_ - Math.max(0, low)) / high) * room);
      const colour = block.kind === "waterfall" && (value ?? 0) < 0 ? "s2" : `s${place + 1}`;
      node.append(svg("rect", { x, y, width, height: Math.max(2, height - 1), rx: 2, class: `bar-shape ${colour}` }));
      node.append(svg("text", { x: x + width + 6, y: y + height / 2 + 4 }, shown(value, block.format)));
    });
  });
  return node;
}

function lines(block) {
  const node = frame(PLOT_HEIGHT + 30, block.title), left = 64, right = WIDTH - 12, bottom = PLOT_HEIGHT;
  const values = block.series.flatMap((series) => series.values.filter((value) => value !== null));
  const high = Math.max(...values, 1e-9) * 1.05, low = Math.min(0, ...values);
  const x = (place) => (block.labels.length === 1 ? (left + right) / 2 : left + (place * (right - left)) / (block.labels.length - 1));
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - 10);
  for (let tick = 0; tick <= 3; tick += 1) {
    const value = low + ((high - low) * tick) / 3;
    node.append(svg("line", { x1: left, x2: right, y1: y(value), y2: y(value), class: "axis" }), svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, short(value, block.format)));
  }
  const every = Math.ceil(block.labels.length / 8);
  block.labels.forEach((label, place) => {
    if (place % every === 0) node.append(svg("text", { x: x(place), y: bottom + 18, "text-anchor": "middle" }, clip(label.replace("week of ", ""), 12)));
  });
  block.series.forEach((series, number) => {
    let path = "", pen = false;
    series.values.forEach((value, place) => {
      if (value === null) { pen = false; return; }
      path += `${pen ? "L" : "M"}${x(place).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = true;
    });
    node.append(svg("path", { d: path, class: `line s${number + 1}`, fill: "none" }));
    series.values.forEach((value, place) => {
      if (value === null) return;
      const dot = svg("circle", { cx: x(place), cy: y(value), r: 3, class: `s${number + 1}` });
      dot.append(svg("title", {}, `${block.labels[place]}: ${shown(value, block.format)}`));
      node.append(dot);
    });
  });
  return node;
}

function legend(series) {
  const row = document.createElement("div");
  row.className = "legend";
  series.forEach((item, place) => {
    const entry = document.createElement("span"), mark = document.createElement("i");
    mark.className = `s${place + 1}`;
    entry.append(mark, item.name);
    row.append(entry);
  });
  return row;
}
