"use strict";
// Strings of the report reach the page through textContent and the canvas only.
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function showTips() {
    const tip = document.getElementById("tip");
    const follow = (event) => {
      const room = window.innerWidth - tip.offsetWidth - 8;
      tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, room))}px`;
      tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 10)}px`;
    };
    for (const cell of document.querySelectorAll(".cn-cell")) {
      const title = cell.querySelector("title");
      const words = title.textContent;
      title.remove(); // the browser's own tip would come late and twice
      cell.setAttribute("aria-label", words);
      cell.addEventListener("pointerenter", (event) => {
        tip.textContent = words;
        tip.hidden = false;
        follow(event);
      });
      cell.addEventListener("pointermove", follow);
      cell.addEventListener("pointerleave", () => { tip.hidden = true; });
    }
    return { tip, follow };
  }

  function mix(pole, ground, share) {
    const read = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const [a, b] = [read(pole), read(ground)];
    return `rgb(${a.map((part, at) => Math.round(part * share + b[at] * (1 - share))).join(",")})`;
  }

  function styles() {
    const ink = css("--ink"), card = css("--card"), muted = css("--muted"), line = css("--line");
    const fill = (node) => {
      const share = node.data("share") || 0;
      const pole = css(share < 0 ? "--cn-negative" : "--cn-positive");
      return share ? mix(pole, card, 0.12 + 0.88 * Math.abs(share) ** 0.75) : card;
    };
    const words = (node) => (Math.abs(node.data("share") || 0) > 0.45 ? css("--cn-on-strong") : ink);
    const font = "system-ui, sans-serif";
    return [
      { selector: "node", style: { "font-family": font, "font-size": 15, color: ink } },
      { selector: ".member", style: {
        shape: "round-rectangle", width: 66, height: 31, label: "data(label)", "text-valign": "center",
        "text-halign": "center", "background-color": fill, color: words, "border-width": 1.5,
        "border-color": muted, "font-weight": 600, "text-max-width": 120 } },
      { selector: ".member[kind = 'mlp']", style: { shape: "rectangle", width: 76, height: 25, "font-size": 14 } },
      { selector: ".member[kind = 'end']", style: {
        width: 96, height: 30, "background-color": css("--soft"), "border-style": "solid" } },
      { selector: ".faint", style: {
        width: 5, height: 5, "background-color": muted, "background-opacity": 0.32, events: "no" } },
      { selector: ".layer", style: {
        width: 1, height: 1, "background-opacity": 0, label: "data(label)", "text-valign": "center",
        "text-halign": "left", color: muted, "font-size": 14, events: "no" } },
      { selector: ".layer[?used]", style: { color: ink, "font-weight": 600 } },
      { selector: "edge", style: {
        width: 1.6, "line-color": muted, "line-opacity": 0.5, "curve-style": "straight", events: "no" } },
      { selector: ".up", style: { "line-color": css("--cn-upstream") } },
      { selector: ".down", style: { "line-color": css("--cn-downstream") } },
      { selector: "edge.up, edge.down", style: {
        width: 2, "line-opacity": 0.75, "curve-style": "bezier", "z-index": 5 } },
      { selector: "node.up", style: { "border-color": css("--cn-upstream"), "border-width": 3 } },
      { selector: "node.down", style: { "border-color": css("--cn-downstream"), "border-width": 3 } },
      { selector: ".chosen", style: { "border-color": ink, "border-width": 4 } },
      { selector: ".dim", style: { opacity: 0.22 } },
    ];
  }

  function elements(picture) {
    const node = (data, classes, more) => (
      { group: "nodes", data, position: { x: data.x, y: data.y }, classes, ...more });
    return [
      ...picture.faint.map((dot) => node(dot, "faint", { selectable: false })),
      ...picture.layers.map((row) => node({ ...row, x: picture.left }, "layer", { selectable: false })),
      ...picture.nodes.map((one) => node(one, "member")),
      ...picture.lines.map(([source, target]) => ({ group: "edges", data: { source, target }, classes: "first" })),
    ];
  }

  function drawCircuit({ tip, follow }) {
    const box = document.getElementById("circuit");
    if (!box) return;
    const picture = JSON.parse(document.getElementById("circuit-graph").textContent);
    const cy = cytoscape({
      container: box, elements: elements(picture), style: styles(), layout: { name: "preset", padding: 26 },
      minZoom: 0.1, maxZoom: 5, autoungrabify: true, boxSelectionEnabled: false, userZoomingEnabled: false,
    });
    const members = cy.nodes(".member");
    const find = (name) => document.getElementById(name);

    function chips(place, nodes) {
      place.replaceChildren(...nodes.map((one) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = one.data("name");
        button.addEventListener("click", () => choose(one));
        return button;
      }));
      if (!nodes.length) place.textContent = "none";
    }

    function release() {
      cy.elements(".extra").remove();
      cy.elements().removeClass("up down chosen dim");
      find("chosen").hidden = true;
      find("unchosen").hidden = false;
    }

    function choose(one) {
      release();
      const own = one.data("stage");
      const up = members.filter((other) => other.data("stage") < own);
      const down = members.filter((other) => other.data("stage") > own);
      cy.edges(".first").addClass("dim");
      members.not(up).not(down).not(one).addClass("dim");
      up.addClass("up");
      down.addClass("down");
      one.addClass("chosen");
      cy.add(up.map((other) => (
        { group: "edges", data: { source: other.id(), target: one.id() }, classes: "extra up" })));
      cy.add(down.map((other) => (
        { group: "edges", data: { source: one.id(), target: other.id() }, classes: "extra down" })));
      find("chosen-name").textContent = one.data("name");
      find("chosen-where").textContent = one.data("where");
      find("chosen-effect").textContent =
        one.data("effect") || (one.data("kind") === "end" ? "" : "effect not measured");
      find("chosen-group").textContent = one.data("group") ? `K/V group ${one.data("group")}` : "";
      chips(find("chosen-up"), up.sort((a, b) => b.data("stage") - a.data("stage")));
      chips(find("chosen-down"), down.sort((a, b) => a.data("stage") - b.data("stage")));
      find("chosen").hidden = false;
      find("unchosen").hidden = true;
    }

    const zoom = (factor) => cy.zoom({
      level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
    find("zoom-in").addEventListener("click", () => zoom(1.35));
    find("zoom-out").addEventListener("click", () => zoom(1 / 1.35));
    find("zoom-fit").addEventListener("click", () => cy.fit(undefined, 26));
    // The wheel scrolls the page until the reader has clicked into the drawing.
    box.addEventListener("pointerdown", () => cy.userZoomingEnabled(true));
    box.addEventListener("pointerleave", () => { cy.userZoomingEnabled(false); tip.hidden = true; });

    cy.on("tap", ".member", (event) => choose(event.target));
    cy.on("tap", (event) => { if (event.target === cy) release(); });
    cy.on("mouseover mousemove", ".member", (event) => {
      const effect = event.target.data("effect");
      tip.textContent = event.target.data("name") + (effect ? `: ${effect}` : "");
      tip.hidden = false;
      follow(event.originalEvent);
    });
    cy.on("mouseout", ".member", () => { tip.hidden = true; });
    find("release").addEventListener("click", release);
    chips(find("all-members"), members);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cy.style(styles()));
    new ResizeObserver(() => { cy.resize(); cy.fit(undefined, 26); }).observe(box);
    box.dataset.ready = "yes";
  }

  drawCircuit(showTips());
})();
