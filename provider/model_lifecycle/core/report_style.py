"""The look of the report page: one style sheet, nothing loaded from anywhere.

Old is a grey area, new a blue outline: they differ in form as well as in colour. The colours are those of Okabe and Ito
(2008), which people with any colour vision can tell apart, darkened or lightened to a contrast of 4.5 for text.
"""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#59636e;--line:#d5dae0;--soft:#f3f5f7;--old:#b4bcc6;
--new:#0066a6;--tint:#0066a61f;--bad:#b03a00;--good:#00704f;--warn:#7d5a00}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e7eaee;--dim:#9aa5b1;--line:#343b44;--soft:#1e2329;
--old:#5c6672;--new:#62b8ee;--tint:#62b8ee26;--bad:#ff9159;--good:#3fcf9f;--warn:#e9b949}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1.2rem clamp(.8rem,3vw,2rem) 3rem;background:var(--bg);color:var(--fg);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;font-variant-numeric:tabular-nums}
h1,h2,h3,p,dl,dd,figure{margin:0}
h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
h2 small,h3 small,.dim{font-weight:400;color:var(--dim)}
a{color:inherit;text-decoration-color:var(--dim);text-underline-offset:.2em}
bdi{overflow-wrap:anywhere}
.v{display:flex;flex-wrap:wrap;align-items:baseline;gap:.3rem 1rem;padding:.8rem 1rem;border:1px solid var(--c);
border-left-width:.6rem;border-radius:.4rem;--c:var(--warn)}
.FAIL,.ERROR{--c:var(--bad)}.PASS{--c:var(--good)}
.v h1{font-size:1.7rem;line-height:1.2;color:var(--c);white-space:nowrap}
.v p{flex:1 1 20rem;overflow-wrap:anywhere}
.n{font-size:1.5rem;font-weight:650;margin:1.1rem 0 .1rem;line-height:1.25}
.n b{color:var(--bad)}
dl{display:flex;flex-wrap:wrap;gap:.15rem 1.4rem;margin:.7rem 0 0;font-size:.87rem}
dl div{display:flex;gap:.45rem;min-width:0}
dt{color:var(--dim);white-space:nowrap}
dd{overflow-wrap:anywhere}
.s{overflow-x:auto}
table{border-collapse:collapse;width:100%}
.t th,.t td{text-align:left;padding:.32rem .7rem .32rem 0;border-bottom:1px solid var(--line);vertical-align:top}
.t thead th{font-size:.8rem;font-weight:500;color:var(--dim);white-space:nowrap}
.t tbody th{font-weight:600;min-width:7rem}
.m td:last-child,.t th bdi{overflow-wrap:anywhere}
.f{white-space:nowrap}
.y .f{color:var(--bad)}
.g{display:flex;align-items:center;gap:.5rem;min-width:8.5rem}
.g i{flex:1;height:.75rem;background:linear-gradient(var(--bar,var(--new)) 0 0) 0/var(--w) 100% no-repeat var(--soft);
border:1px solid var(--line);print-color-adjust:exact;-webkit-print-color-adjust:exact}
.k{display:flex;flex-wrap:wrap;gap:.2rem 1.3rem;color:var(--dim);font-size:.87rem;margin-bottom:.7rem}
.k i{display:inline-block;width:1.3rem;height:.75rem;margin-right:.4rem;vertical-align:-.08rem;background:var(--old)}
.k .c{background:var(--tint);border:2px solid var(--new)}
.k .d{width:0;height:1rem;background:none;border-left:2px dashed var(--dim)}
.p{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:1.1rem 1.3rem}
.q{grid-template-columns:repeat(auto-fill,minmax(min(46%,11rem),1fr));gap:.8rem;margin-top:1.2rem}
figure{min-width:0;break-inside:avoid;border-top:2px solid var(--line);padding-top:.4rem;scroll-margin-top:1rem}
figure:target{border-color:var(--new)}
figure>svg{display:block;width:100%;height:6.5rem;border-bottom:1px solid var(--dim);margin-top:.3rem}
.q figure>svg{height:2.8rem}
.q{font-size:.8rem}
h3{font-size:1rem;line-height:1.3;display:flex;flex-wrap:wrap;gap:0 .6rem;justify-content:space-between}
.q h3{font-size:.85rem}
.o{fill:var(--old)}
.e{fill:var(--tint);stroke:var(--new);stroke-width:2;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.m{fill:none;stroke:var(--dim);stroke-width:2;stroke-dasharray:5 4;vector-effect:non-scaling-stroke}
.m+.m{stroke:var(--new);stroke-dasharray:none}
.x{display:flex;justify-content:space-between;font-size:.78rem;color:var(--dim);gap:.3rem}
.x.a span{flex:1;text-align:center;min-width:0;overflow:hidden}
figure p{font-size:.87rem}
.h{font-size:.82rem;margin-top:.3rem}
.h th{text-align:left;font-weight:400;padding:.1rem .5rem .1rem 0;max-width:9rem;width:32%;overflow:hidden;
white-space:nowrap;text-overflow:ellipsis}
.h td{padding:.1rem 0;white-space:nowrap}
.h td:last-child{text-align:right;width:1%;padding-left:.5rem}
.q .h th{max-width:3.6rem}
.h i{display:block;height:.42rem;background:var(--old);width:var(--w)}
.h i+i{background:var(--tint);box-shadow:inset 0 0 0 1.5px var(--new)}
details{margin-top:.4rem}
summary{cursor:pointer;color:var(--dim)}
.z{color:var(--dim);font-size:.87rem;max-width:60rem}
.z p{margin:.35rem 0}
.b{display:inline-block;padding:0 .4rem;border:1px dashed;color:var(--warn);border-radius:.3rem;font-size:.8rem}
@media(max-width:46rem){.r :is(th,td):nth-child(n+5){display:none}.g{min-width:0;flex-direction:column-reverse;
align-items:stretch;gap:.1rem}.g i{flex:none}.t{font-size:.87rem}.t th,.t td{padding-right:.5rem}
.r tbody th{min-width:5.2rem}.r .f{white-space:normal}.n{font-size:1.3rem}.m thead{display:none}
.m tr{display:grid;grid-template-columns:1fr auto auto;padding:.35rem 0;border-bottom:1px solid var(--line)}
.m th,.m td{border:0;padding:0 .7rem 0 0}.m td:nth-child(4){display:none}.m td:last-child{grid-column:1/-1}}
@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--soft:#fff;--old:#c4c4c4;--new:#00568f;--bad:#8f2e00;
--good:#005c40;--warn:#6b4c00;--tint:#0000}body{max-width:none;padding:0;font-size:10pt}a{text-decoration:none}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}tr{break-inside:avoid}
details::details-content{content-visibility:visible;block-size:auto}}
"""
