"""The report's style sheet: light, dark and print; series are Okabe and Ito's colours, told apart
by people with any common colour blindness (https://jfly.uni-koeln.de/color/)."""

LIGHT = """
  --ground: #ffffff; --surface: #f5f6f7; --line: #d5dade; --text: #1b1f24; --muted: #59626d;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #e69f00; --c5: #56b4e9;
  --c6: #8a4fbf; --c7: #a9b1ba;
"""

DARK = """
  --ground: #16191d; --surface: #1e2227; --line: #363d46; --text: #e7eaee; --muted: #9fa8b3;
  --c0: #56b4e9; --c1: #f28c55; --c2: #2fc79b; --c3: #e5a3c8; --c4: #e6b422; --c5: #9ad1f2;
  --c6: #b48ae0; --c7: #6b737d;
"""

STYLE = f"""
:root {{ color-scheme: light dark; {LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
* {{ box-sizing: border-box; }}
body {{
  margin: 0 auto; max-width: 940px; padding: 40px 32px 56px; background: var(--ground);
  color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}}
h1 {{ font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }}
h2 {{ font-size: 19px; margin: 44px 0 10px; }}
h3 {{ font-size: 15px; margin: 22px 0 6px; }}
p {{ margin: 6px 0; }}
.muted, .note {{ color: var(--muted); }}
.note {{ font-size: 13px; }}
.cards {{
  display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(250px, 1fr));
  margin-top: 26px;
}}
.card {{
  border: 1px solid var(--line); border-radius: 10px; background: var(--surface);
  padding: 14px 16px;
}}
.card b {{ display: block; font-size: 24px; line-height: 1.25; font-weight: 600; }}
.card span {{ color: var(--muted); font-size: 13px; display: block; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-size: 14px; }}
th {{ text-align: left; color: var(--muted); font-weight: 500; }}
th, td {{ padding: 7px 10px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }}
.figure {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
small {{ color: var(--muted); font-size: 12px; }}
.figure small {{ display: block; }}
svg.chart {{ width: 100%; height: auto; display: block; margin: 8px 0; }}
svg.bar {{ display: block; margin: 3px 0 0 auto; }}
svg .grid {{ stroke: var(--line); stroke-width: 1; }}
svg .whisker {{ stroke: var(--text); stroke-width: 1.3; opacity: .75; }}
svg .label {{ fill: var(--muted); font-size: 12px; }}
svg .family {{ stroke: var(--muted); stroke-width: 1; fill: none; opacity: .6; }}
svg .frontier {{ stroke: var(--text); stroke-width: 1.4; stroke-dasharray: 5 4; fill: none; }}
{" ".join(f"svg .s{number} {{ fill: var(--c{number}); }}" for number in range(8))}
.legend {{ display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; padding: 0; margin: 0; }}
.legend li {{ list-style: none; display: flex; align-items: center; gap: 6px; }}
footer {{ margin-top: 48px; border-top: 1px solid var(--line); padding-top: 14px; }}
@media print {{
  :root {{ {LIGHT} color-scheme: light; }}
  body {{ padding: 0; max-width: none; font-size: 12px; }}
  section, .card, tr, svg {{ break-inside: avoid; }}
  h2, h3 {{ break-after: avoid; }}
}}
"""
