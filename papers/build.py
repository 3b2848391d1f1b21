"""Sets the papers: Markdown by pandoc, typst to PDF. `papers/build` calls this with both at hand."""

import pathlib
import sys

import pypandoc
import typst

papers = pathlib.Path(__file__).parent
out = pathlib.Path(sys.argv[1])
style = (papers / "style.typ").read_text(encoding="utf-8")
for source in sorted(papers.glob("*.md")):
    body = pypandoc.convert_file(str(source), "typst", format="gfm+tex_math_dollars", extra_args=["--wrap=none"])
    # Images and data lie beside the text.
    root = out / "set"
    root.mkdir(parents=True, exist_ok=True)
    page = root / f"{source.stem}.typ"
    page.write_text(style + body, encoding="utf-8")
    pdf = out / f"{source.stem}.pdf"
    typst.compile(str(page), output=str(pdf), root=str(papers.parent))
    print(pdf)
