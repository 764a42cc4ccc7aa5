/* Pictures drawn on canvas by ECharts, in the colours of the page. What they show also stands in a table beside them. */
"use strict";

(() => {
  const drawn = new Map();
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

  /* A token holds two colours; what the page shows at the moment is found by letting the browser resolve it. */
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  function colour(name) {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  }

  function tokens() {
    return {
      ink: colour("ink"), ink2: colour("ink-2"), ink3: colour("ink-3"), line: colour("line"), surface: colour("surface"),
      good: colour("good"), warn: colour("warn"), mute: colour("series-2"), bad: colour("bad"),
      series: [1, 3, 4, 5, 6, 7, 8, 2].map((n) => colour(`series-${n}`)),
      first: colour("series-1"), second: colour("series-2"),
      font: getComputedStyle(document.body).fontFamily,
    };
  }

  function figure(value) {
    return new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(value);
  }

  function short(value, wan) {
    const size = Math.abs(value);
    const [unit, name] = wan
      ? size >= 1e8 ? [1e8, "亿"] : size >= 1e4 ? [1e4, "万"] : [1, ""]
      : size >= 1e9 ? [1e9, "bn"] : size >= 1e6 ? [1e6, "m"] : size >= 1e3 ? [1e3, "k"] : [1, ""];
    return new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 }).format(value / unit) + name;
  }

  /* Drawn on the canvas as well: a tooltip of HTML would carry styles that the page's policy refuses. */
  function tooltip(look) {
    return {
      renderMode: "richText", confine: true, backgroundColor: look.surface, borderColor: look.line,
      textStyle: { color: look.ink, fontFamily: look.font, fontSize: 13 },
    };
  }

  function frame(look, content) {
    return {
      animationDuration: still ? 0 : 350, animationDurationUpdate: still ? 0 : 250,
      textStyle: { fontFamily: look.font, color: look.ink2 },
      grid: { left: 4, right: 8, top: 44, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      legend: { top: 0, left: 0, itemWidth: 14, itemHeight: 10, itemGap: 18, icon: "roundRect", textStyle: { color: look.ink2, fontSize: 13 }, inactiveColor: look.line, type: "scroll", pageIconColor: look.ink2, pageTextStyle: { color: look.ink2 } },
      xAxis: {
        type: "category", data: content.months, axisTick: { show: false },
        axisLine: { lineStyle: { color: look.line } }, axisLabel: { color: look.ink3, fontSize: 12, interval: "auto" },
      },
      yAxis: {
        type: "value",
        axisLabel: { color: look.ink3, fontSize: 12, formatter: (value) => short(value, content.wan) },
        splitLine: { lineStyle: { color: look.line } }, splitNumber: 4,
      },
      tooltip: {
        ...tooltip(look), trigger: "axis", axisPointer: { type: "shadow", shadowStyle: { opacity: .12 } },
        valueFormatter: (value) => (value === null || value === undefined ? "–" : `${figure(value)} ${content.unit}`),
      },
    };
  }

  const kinds = {
    months(look, content) {
      return {
        ...frame(look, content),
        series: [
          { name: content.names[0], type: "bar", data: content.now, barMaxWidth: 26, itemStyle: { color: look.first, borderRadius: [3, 3, 0, 0] } },
          ...!content.before.some((value) => value !== null) ? [] : [{ name: content.names[1], type: "line", data: content.before, symbol: "circle", symbolSize: 6, lineStyle: { color: look.second, width: 2, type: [5, 4] }, itemStyle: { color: look.second }, connectNulls: false }],
        ],
      };
    },
    stack(look, content) {
      const series = content.lines.map((line, at) => ({
        name: line.name, type: "bar", stack: "lines", data: line.yuan, barMaxWidth: 28,
        itemStyle: { color: look.series[at % look.series.length], borderColor: look.surface, borderWidth: .5 },
      }));
      if (content.before) {
        series.push({ name: content.before_name, type: "line", data: content.before, symbol: "circle", symbolSize: 5, lineStyle: { color: look.second, width: 2, type: [5, 4] }, itemStyle: { color: look.second } });
      }
      return { ...frame(look, content), series };
    },
    /* Windows on a time line: a row for each, from its opening to its end, settling hatched behind it. */
    line(look, content, box) {
      const narrow = box.clientWidth < 600;
      const tone = { active: look.good, settling: look.warn, succeeded: look.series[1], expired: look.mute, withdrawn: look.mute };
      const from = Date.parse(content.from);
      const to = Date.parse(content.to);
      const bars = content.bars.map((bar, at) => ({
        value: [at, Date.parse(bar.from), Date.parse(bar.to), bar.settled ? Date.parse(bar.settled) : Date.parse(bar.to)], bar,
      }));
      return {
        animation: false,
        textStyle: { fontFamily: look.font },
        grid: { left: narrow ? 8 : 210, right: 16, top: 34, bottom: 24 },
        xAxis: {
          type: "time", min: from, max: to, position: "top", axisLine: { show: false }, axisTick: { show: false },
          axisLabel: { color: look.ink3, fontSize: 12, hideOverlap: true, formatter: { year: "{yyyy}", month: "{yyyy}-{MM}", day: "{MM}-{dd}" } },
          splitLine: { show: true, lineStyle: { color: look.line } },
        },
        yAxis: {
          type: "category", inverse: true, data: content.bars.map((bar) => bar.name), axisLine: { show: false }, axisTick: { show: false },
          axisLabel: { show: !narrow, color: look.ink2, fontSize: 13, width: 190, overflow: "truncate" },
        },
        tooltip: {
          ...tooltip(look), trigger: "item",
          formatter: (hit) => hit.data && hit.data.bar ? `${hit.data.bar.name}\n${hit.data.bar.unit} · ${hit.data.bar.word}\n${hit.data.bar.first_day} – ${hit.data.bar.last_day}` : "",
        },
        series: [
          {
            type: "custom", clip: true, encode: { x: [1, 3], y: 0 }, data: bars,
            renderItem(parameters, api) {
              const row = api.value(0);
              const begin = api.coord([Math.max(api.value(1), from), row]);
              const end = api.coord([Math.min(api.value(2), to), row]);
              const settled = api.coord([Math.min(api.value(3), to), row]);
              const height = Math.min(20, api.size([0, 1])[1] * .62);
              const bar = content.bars[row];
              const width = Math.max(3, end[0] - begin[0]);
              const children = [{
                type: "rect", shape: { x: begin[0], y: begin[1] - height / 2, width, height, r: 4 },
                style: { fill: tone[bar.state] || look.mute, opacity: bar.state === "active" ? 1 : .75 },
              }];
              if (settled[0] > end[0]) {
                children.push({ type: "rect", shape: { x: end[0], y: end[1] - height / 2, width: settled[0] - end[0], height, r: 4 }, style: { fill: look.warn, opacity: .35 } });
              }
              const label = narrow ? bar.name : bar.unit;
              if (width > 60) {
                children.push({ type: "text", style: { x: begin[0] + 7, y: begin[1], text: label, fill: look.surface, font: `12px ${look.font}`, textVerticalAlign: "middle", width: width - 14, overflow: "truncate" } });
              }
              return { type: "group", children };
            },
          },
          {
            type: "line", data: [], markLine: {
              symbol: "none", silent: true, animation: false, lineStyle: { color: look.bad, width: 1.5, type: "solid" },
              label: { formatter: content.today, color: look.bad, position: "end", distance: 4 },
              data: [{ xAxis: Date.parse(content.now) }],
            },
          },
        ],
      };
    },
  };

  function draw(box) {
    const content = JSON.parse(box.dataset.content);
    if (box.dataset.chart === "line") box.style.height = `${80 + content.bars.length * 32}px`;
    let chart = echarts.getInstanceByDom(box);
    if (!chart) {
      chart = echarts.init(box, null, { renderer: "canvas" });
      new ResizeObserver(() => chart.resize()).observe(box);
    }
    drawn.set(box, box.dataset.content);
    chart.off("click");
    chart.on("click", (hit) => { if (hit.data && hit.data.bar && hit.data.bar.leads) location.assign(hit.data.bar.leads); });
    chart.setOption(kinds[box.dataset.chart](tokens(), content, box), { notMerge: true });
  }

  function drawAll(always) {
    for (const [box] of drawn) {
      if (!box.isConnected) {
        const chart = echarts.getInstanceByDom(box);
        if (chart) chart.dispose();
        drawn.delete(box);
      }
    }
    for (const box of document.querySelectorAll("[data-chart]")) {
      if (always || drawn.get(box) !== box.dataset.content || !box.firstChild) draw(box);
    }
  }

  document.addEventListener("htmx:after:swap", () => drawAll(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));
  drawAll(true);
})();
