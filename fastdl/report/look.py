"""How the page looks, on light and dark screens and on paper."""

_LIGHT = """
  --paper: #ffffff; --ink: #1b1f24; --quiet: #57606a; --line: #d8dee4; --card: #f6f8fa;
  --blue: #0072b2; --orange: #d55e00; --green: #009e73; --grey: #8a8f98; --faint: #b9d6ea;
  --grid: #e6e8eb; --note: #f4f5f7;"""
_DARK = """
  --paper: #14181d; --ink: #e6e9ed; --quiet: #9aa4af; --line: #353c45; --card: #1d232a;
  --blue: #56b4e9; --orange: #f0883e; --green: #3fc79a; --grey: #7d8590; --faint: #24506b;
  --grid: #2a313a; --note: #1d232a;"""

CSS = f"""
:root {{{_LIGHT}
}}
@media screen and (prefers-color-scheme: dark) {{ :root {{{_DARK}
}} }}
* {{ box-sizing: border-box; }}
body {{
  margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 76rem; background: var(--paper);
  color: var(--ink); font: 15px/1.45 system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans",
  sans-serif;
}}
h1 {{ font-size: 1.6rem; margin: 0 0 1rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); }}
p {{ margin: .3rem 0 .8rem; color: var(--quiet); max-width: 60rem; }}
.cards {{ display: flex; flex-wrap: wrap; gap: .8rem; margin: 0 0 1rem; }}
.card {{ flex: 1 1 14rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; padding: .7rem 1rem; }}
.card strong {{ display: block; font-size: 1.9rem; font-variant-numeric: tabular-nums; }}
.card div, .card small {{ color: var(--quiet); }}
.pictures {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr));
  gap: 1rem; margin: 0 0 1rem; }}
.pictures.small {{ grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); }}
figure {{ margin: 0; max-width: 40rem; break-inside: avoid; }}
.legend span {{ display: inline-block; margin-right: 1.2rem; white-space: nowrap; }}
.legend i {{ display: inline-block; width: 1.6rem; height: .8rem; margin-right: .4rem;
  vertical-align: -.08rem; --of: var(--ink); --share: 100%;
  --shade: color-mix(in srgb, var(--of) var(--share), var(--paper)); }}
.legend .patch {{ background: var(--shade); }}
.legend .line {{ height: 0; border-top: 2px solid var(--of); vertical-align: .25rem; }}
.legend .dashed {{ height: 0; border-top: 2px dashed var(--of); vertical-align: .25rem; }}
.legend .ring {{ width: .7rem; height: .7rem; border: 2px solid var(--of); border-radius: 50%; }}
figure.broad {{ max-width: none; margin: 0 0 .6rem; }}
svg {{ width: 100%; height: auto; display: block; stroke-linejoin: round; stroke-linecap: butt; }}
svg text {{ font-family: inherit !important; fill: var(--ink); }}
.wide {{ overflow-x: auto; margin: 0 0 1rem; }}
table {{ border-collapse: collapse; font-size: .9rem; }}
caption {{ text-align: left; color: var(--quiet); padding: 0 0 .3rem; }}
th, td {{ text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; unicode-bidi: isolate; max-width: 34rem; }}
th {{ color: var(--quiet); font-weight: 600; vertical-align: bottom; }}
td:first-child {{ min-width: 8rem; }}
th.number, td.number {{ text-align: right; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }}
td.number {{ white-space: nowrap; }}
tr {{ break-inside: avoid; }}
.pair {{ display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-start; }}
.scale {{ position: relative; height: 1.1rem; width: min(26rem, 40vw); margin-top: .1rem; }}
.scale i {{ position: absolute; display: block; }}
.bar {{ top: .15rem; height: .8rem; background: var(--blue); min-width: 1px; }}
.less {{ background: var(--orange); }}
.spread {{ top: .5rem; height: 2px; background: var(--ink); }}
.pair .pictures {{ flex: 1 1 19rem; max-width: 30rem; }}
.matrix th, .matrix td {{ --share: 0%; text-align: right; border: 1px solid var(--paper);
  min-width: 2.7rem; padding: .15rem .3rem; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }}
.matrix thead th {{ height: 6rem; text-align: left; white-space: nowrap; padding: 0; }}
.matrix thead span {{ display: inline-block; writing-mode: vertical-rl; transform: rotate(180deg);
  padding: .2rem .1rem; }}
.matrix tbody th {{ white-space: nowrap; vertical-align: middle; }}
.matrix small {{ display: block; opacity: .75; font-size: .68rem; line-height: 1; }}
.matrix .none {{ color: var(--grey); text-align: center; }}
.matrix .right {{ background: color-mix(in srgb, var(--blue) var(--share), var(--paper)); }}
.matrix .mistake {{ background: color-mix(in srgb, var(--orange) var(--share), var(--paper)); }}
.matrix .dark {{ color: var(--paper); }}
.gallery {{ display: flex; flex-wrap: wrap; gap: .9rem; margin: 0 0 1rem; }}
.gallery figure {{ background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .5rem; max-width: 100%; }}
.gallery.all figure {{ background: none; border: 0; padding: 0; }}
.strip {{ display: flex; flex-wrap: wrap; gap: 4px; }}
.strip img {{ width: 96px; height: auto; image-rendering: pixelated; border-radius: 2px; }}
.decisions .strip {{ flex-wrap: nowrap; }}
.decisions .strip img {{ flex: 0 1 112px; min-width: 0; }}
.decisions figure {{ flex: 0 1 23.3rem; }}
figcaption {{ font-size: .85rem; color: var(--quiet); padding-top: .3rem;
  overflow-wrap: anywhere; }}
figcaption b {{ color: var(--ink); font-weight: 600; }}
.sheets .strip {{ display: block; }}
.sheets .strip img, .rows .strip img {{ width: auto; max-width: 100%; }}
.rows {{ flex-direction: column; gap: .4rem; }}
.rows figure {{ display: flex; align-items: center; gap: .8rem; flex-direction: row-reverse;
  justify-content: flex-end; max-width: none; }}
.rows figcaption {{ min-width: 5rem; padding: 0; }}
.sheet {{ max-width: 100%; height: auto; image-rendering: pixelated; }}
@media print {{
  body {{ max-width: none; padding: 0; font-size: 11px; }}
  .pictures {{ grid-template-columns: 1fr 1fr; }}
  .pictures.small {{ grid-template-columns: 1fr 1fr 1fr; }}
  .wide {{ overflow: visible; }}
  h2 {{ break-after: avoid; }}
  * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
}}
"""
