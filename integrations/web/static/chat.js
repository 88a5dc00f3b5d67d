// The chat page. Text from the server is only ever set as text, never as markup; nothing here loads a foreign address.
import { chart } from "./chart.js";

const $ = (id) => document.getElementById(id);
const log = $("log"), form = $("form"), box = $("message"), send = $("send"), drawer = $("drawer"), threads = $("threads");
const SUGGESTIONS = ["How much did we win last quarter?", "Win rate by rep this year", "Which open deals close this month?", "Open tickets by priority", "What can you do?"];
let thread = null, busy = false, lastMessage = "";

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function rich(text) { // "**bold**" and "[1]" citations are the only markup
  const paragraph = make("p");
  for (const part of text.split(/(\*\*[^*]+\*\*)/)) {
    paragraph.append(part.startsWith("**") && part.endsWith("**") && part.length > 4 ? make("strong", "", part.slice(2, -2)) : part);
  }
  return paragraph;
}

async function api(path, options = {}) {
  const response = await fetch(path, { ...options, headers: { "Content-Type": "application/json", ...options.headers } });
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw Object.assign(new Error(body.detail || "The server did not answer as expected."), { status: response.status, fresh: body.details?.fresh });
  }
  return response;
}

async function* events(response) { // server-sent events from a POST
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value.replaceAll("\r\n", "\n");
    let cut;
    while ((cut = buffer.indexOf("\n\n")) >= 0) {
      const lines = buffer.slice(0, cut).split("\n");
      buffer = buffer.slice(cut + 2);
      const kind = lines.find((line) => line.startsWith("event:"))?.slice(6).trim();
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n");
      if (kind && data) yield [kind, JSON.parse(data)];
    }
  }
}

async function ask(message) {
  if (busy || !message.trim()) return;
  busy = send.disabled = true;
  lastMessage = message;
  log.querySelector(".welcome")?.remove();
  log.append(make("div", "mine", message));
  const answer = make("div", "theirs"), status = make("p", "status", "Reading");
  answer.append(status);
  log.append(answer);
  status.scrollIntoView({ block: "end" });
  let text = "", shown = null;
  try {
    const response = await api("/api/chat/stream", { method: "POST", body: JSON.stringify({ message, thread }) });
    for await (const [kind, data] of events(response)) {
      if (kind === "status") status.textContent = data;
      else if (kind === "text") {
        text += data;
        shown?.remove();
        shown = rich(text);
        answer.insertBefore(shown, status);
      } else if (kind === "done") {
        thread = data.thread;
        answer.replaceChildren();
        render(answer, data);
        listThreads();
      } else if (kind === "problem") throw new Error(data.detail);
    }
  } catch (error) {
    status.remove();
    if (error.status === 401) { signedOut(answer); } else answer.append(make("p", "notice", error.message));
  } finally {
    busy = send.disabled = false;
    answer.scrollIntoView({ block: "nearest" });
    box.focus();
  }
}

function render(node, answer) {
  for (const paragraph of answer.text.split("\n\n")) node.append(rich(paragraph));
  for (const block of answer.blocks) node.append(BLOCKS[block.type]?.(block) ?? "");
  if (answer.citations.length) node.append(citations(answer.citations));
  for (const notice of answer.notices) node.append(make("p", "notice", notice));
  node.append(afterwards(answer));
}

const BLOCKS = {
  text: (block) => rich(block.text),
  table(block) {
    const sheet = make("div", "sheet"), table = make("table"), head = table.createTHead().insertRow(), body = table.createTBody();
    if (block.title) sheet.append(make("h3", "", block.title));
    for (const column of block.columns) head.append(make("th", column.numeric ? "number" : "", column.title));
    for (const row of block.rows) {
      const line = body.insertRow();
      row.forEach((cell, place) => {
        const spot = make("td", block.columns[place].numeric ? "number" : "");
        spot.append(cell.link ? opener(cell.text, cell.link) : cell.text);
        line.append(spot);
      });
    }
    sheet.append(table);
    if (block.total > block.rows.length) sheet.append(make("p", "count", `${block.rows.length} of ${block.total.toLocaleString("en")} rows. Say “more” to see the next.`));
    return sheet;
  },
  chart(block) {
    const sheet = make("div", "sheet");
    sheet.append(make("h3", "", block.title), chart(block));
    return sheet;
  },
  card(block) {
    const sheet = make("div", "sheet"), title = make("h3");
    title.append(opener(block.title, block.link));
    sheet.append(title, make("div", "sub", block.subtitle), facts(block.facts));
    return sheet;
  },
  choices(block) {
    const list = make("div", "choices");
    for (const option of block.options) {
      const button = make("button", "", option.label);
      button.append(make("small", "", option.hint));
      button.onclick = () => ask(option.message);
      list.append(button);
    }
    return list;
  },
  approval(block) {
    const sheet = make("div", "sheet approval"), table = make("table", "diff"), said = make("span", "sub");
    sheet.append(make("h3", "", block.title), make("div", "sub", [block.summary, block.rule].filter(Boolean).join(" ")));
    let record = "";
    for (const item of block.changes) {
      const row = table.insertRow();
      row.append(make("td", "", item.record === record ? "" : item.record), make("td", "", item.title));
      record = item.record;
      const old = make("td", "old", item.created ? "" : item.old), value = make("td", "new", item.new);
      row.append(old, value);
    }
    sheet.append(table);
    if (block.lines_in_all > block.changes.length && block.lines_in_all > 200) {
      const all = make("a", "sub", `All ${block.lines_in_all.toLocaleString("en")} lines as CSV`);
      all.href = `/api/changes/${block.change_set_id}/rows.csv`;
      sheet.append(all);
    }
    for (const reason of new Set(block.left_out || [])) sheet.append(make("div", "sub", `Not part of it: ${reason}`));
    if (block.applied) {
      sheet.append(make("span", "sub", "Applied. "), undo(block.change_set_id, sheet));
      return sheet;
    }
    const yes = make("button", "", "Apply"), no = make("button", "quiet", "Refuse"), other = make("button", "quiet", "Edit");
    const decided = (words) => { said.textContent = ` ${words}`; yes.remove(); no.remove(); other.remove(); };
    yes.onclick = () => api(`/api/changes/${block.change_set_id}/approve`, { method: "POST", body: JSON.stringify({ diff_hash: block.diff_hash }) })
      .then(() => { decided("Applied. "); sheet.append(undo(block.change_set_id, sheet)); })
      .catch((error) => {
        if (!error.fresh) { said.textContent = ` ${error.message}`; return; }
        decided(error.message);
        sheet.after(BLOCKS.approval(error.fresh));
      });
    no.onclick = () => api(`/api/changes/${block.change_set_id}/refuse`, { method: "POST" })
      .then(() => decided("Refused; nothing was changed."))
      .catch((error) => { said.textContent = ` ${error.message}`; });
    other.onclick = () => edit(block.change_set_id, sheet, other, () => decided("Edited; the new proposal stands below."));
    sheet.append(yes, " ", other, " ", no, said);
    return sheet;
  },
};

function edit(number, sheet, button, done) { // other values for a proposal: a form of its arguments, and a new proposal below
  const form = make("form", "edit"), said = make("span", "sub");
  const fail = (error) => { said.textContent = ` ${error.message}`; };
  form.append(said);
  button.disabled = true;
  api(`/api/changes/${number}`).then((response) => response.json()).then((change) => {
    const inputs = [];
    change.steps.forEach((step, place) => {
      for (const [name, value] of Object.entries(step.arguments)) {
        if (value !== null && typeof value === "object" || /^(id|noun|version|.*_ids?)$/.test(name)) continue;
        const label = make("label", "", `${name.replaceAll("_", " ")} `), input = make("input");
        input.value = value ?? "";
        label.append(input);
        form.insertBefore(label, said);
        inputs.push({ place, name, input, before: input.value });
      }
    });
    if (!inputs.length) { said.textContent = " There is nothing to edit in this change; refuse it and say it in other words."; return; }
    form.insertBefore(make("button", "", "Propose this"), said);
    form.onsubmit = (event) => {
      event.preventDefault();
      const arguments_ = change.steps.map(() => ({}));
      for (const { place, name, input, before } of inputs) if (input.value !== before) arguments_[place][name] = input.value;
      api(`/api/changes/${number}/edit`, { method: "POST", body: JSON.stringify({ arguments: arguments_ }) })
        .then((response) => response.json())
        .then((fresh) => { form.remove(); done(); sheet.after(BLOCKS.approval({ ...fresh, change_set_id: fresh.id })); })
        .catch(fail);
    };
  }).catch(fail);
  sheet.append(form);
}

function undo(number, sheet) { // takes an applied change back: a proposal of its own, shown below it
  const button = make("button", "quiet", "Undo");
  button.onclick = () => api(`/api/changes/${number}/undo`, { method: "POST", body: "{}" })
    .then((response) => response.json())
    .then((change) => { button.remove(); sheet.after(BLOCKS.approval({ ...change, change_set_id: change.id })); })
    .catch((error) => button.after(make("span", "sub", ` ${error.message}`)));
  return button;
}

function facts(pairs) {
  const list = make("dl", "facts");
  for (const [name, value] of pairs) list.append(make("dt", "", name), make("dd", "", value));
  return list;
}

function citations(items) {
  const list = make("ol", "cites");
  for (const item of items) {
    const row = make("li");
    row.append(`[${item.number}] `, opener(`${item.when}, ${item.kind} with ${item.who}: ${item.title}`, item));
    list.append(row);
  }
  return list;
}

function opener(text, link) {
  const button = make("button", "link", text);
  button.type = "button";
  button.onclick = () => openRecord(link.noun, link.id);
  return button;
}

function afterwards(answer) {
  const row = make("div", "after");
  if (answer.figures.length) {
    for (const words of ["How did you get that?", "Show me the rows"]) {
      const button = make("button", "", words);
      button.onclick = () => ask(words);
      row.append(button);
    }
  }
  for (const [sign, rating, label] of [["👍", 1, "Good answer"], ["👎", -1, "Bad answer"]]) {
    const button = make("button", "rate", sign);
    button.setAttribute("aria-label", label);
    button.setAttribute("aria-pressed", String(answer.rating === rating));
    button.onclick = async () => {
      const pressed = button.getAttribute("aria-pressed") === "true";
      await api(`/api/threads/${encodeURIComponent(answer.thread)}/turns/${answer.turn}/rating`, { method: "PUT", body: JSON.stringify({ rating: pressed ? null : rating }) });
      row.querySelectorAll(".rate").forEach((other) => other.setAttribute("aria-pressed", String(other === button && !pressed)));
    };
    row.append(button);
  }
  row.append(make("span", "meta", `${answer.model}, ${answer.milliseconds} ms`));
  return row;
}

// --- a record's timeline ---------------------------------------------------------------------------------

async function openRecord(noun, id) {
  const place = $("record");
  drawer.hidden = false;
  place.replaceChildren(make("p", "status", "Opening"));
  try {
    const path = { company: "companies", activity: "activities" }[noun] || `${noun}s`;
    const record = await (await api(`/api/${path}/${id}`)).json();
    const about = noun === "activity" || noun === "ticket" ? around(record) : [noun, id];
    const view = about ? await (await api(`/api/timeline/${about[0]}/${about[1]}`)).json() : { entries: [], total_activities: 0 };
    place.replaceChildren(make("h2", "", record.name || record.subject || `${noun} ${id}`), make("div", "sub", [noun, record.company, record.owner].filter(Boolean).join(" · ")));
    if (record.body || record.description) place.append(make("p", "", record.body || record.description));
    place.append(make("h2", "", about && about[0] !== noun ? `Timeline of the ${about[0]}` : "Timeline"));
    for (const entry of view.entries) {
      const item = make("div", `entry${entry.noun === noun && entry.id === id ? " here" : ""}`);
      item.append(make("div", "sub", `${new Date(entry.at).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })} · ${entry.kind}${entry.who ? ` · ${entry.who}` : ""}`), make("p", "", entry.title));
      if (entry.detail) item.append(make("p", "sub", entry.detail));
      place.append(item);
    }
    if (view.total_activities > view.entries.length) place.append(make("p", "count", `${view.total_activities.toLocaleString("en")} activities in all.`));
    place.querySelector(".here")?.scrollIntoView({ block: "center" });
  } catch (error) {
    place.replaceChildren(make("p", "notice", error.message));
  }
  $("close").focus();
}

function around(record) {
  for (const noun of ["deal", "company", "contact"]) if (record[`${noun}_id`]) return [noun, record[`${noun}_id`]];
  return null;
}

// --- conversations ---------------------------------------------------------------------------------------

async function listThreads() {
  const rows = await (await api("/api/threads")).json();
  threads.replaceChildren(...rows.map((row) => {
    const button = make("button", "", row.title || "Conversation");
    button.setAttribute("aria-current", String(row.id === thread));
    button.onclick = () => openThread(row.id);
    return button;
  }));
}

async function openThread(id) {
  thread = id;
  threads.classList.remove("open");
  const turns = await (await api(`/api/threads/${encodeURIComponent(id)}`)).json();
  log.replaceChildren();
  for (const turn of turns) {
    const node = make("div", "theirs");
    log.append(make("div", "mine", turn.message), node);
    render(node, { ...turn.answer, thread: id, turn: turn.number, rating: turn.rating });
  }
  log.lastElementChild?.scrollIntoView({ block: "end" });
  listThreads();
}

function welcome() {
  thread = null;
  const node = make("div", "welcome"), row = make("div", "suggest");
  node.append(rich("**Ask your CRM.** Figures are computed exactly, can show their rows, and cover only what you may see."));
  for (const words of SUGGESTIONS) {
    const button = make("button", "", words);
    button.onclick = () => ask(words);
    row.append(button);
  }
  node.append(row);
  log.replaceChildren(node);
  box.focus();
}

function signedOut(node) {
  node.append(rich("**You are not signed in.** Open the sign-in link that `make demo` printed, or make one with `rapport user link EMAIL`."));
  send.disabled = true;
}

function grow() {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 160)}px`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const message = box.value;
  box.value = "";
  grow();
  ask(message);
});
box.addEventListener("input", grow);
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === "ArrowUp" && !box.value && lastMessage) {
    box.value = lastMessage;
    grow();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !drawer.hidden) { drawer.hidden = true; box.focus(); }
  if (event.key === "/" && document.activeElement !== box && !event.ctrlKey && !event.metaKey) { event.preventDefault(); box.focus(); }
});
$("close").onclick = () => { drawer.hidden = true; box.focus(); };
$("fresh").onclick = welcome;
$("menu").onclick = () => $("menu").setAttribute("aria-expanded", String(threads.classList.toggle("open")));

try {
  const me = await (await api("/api/me")).json();
  $("who").textContent = `${me.name}, ${me.role} at ${me.company}`;
  welcome();
  await listThreads();
} catch (error) {
  if (error.status === 401) signedOut(log); else log.append(make("p", "notice", error.message));
}
