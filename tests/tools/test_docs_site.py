"""The guide becomes a site: strictly, with every link resolved, and nothing from elsewhere."""

import pytest

from tools.docs import links, site

pytestmark = pytest.mark.slow


def test_the_site_is_built_and_whole() -> None:
    pytest.importorskip("zensical", reason="`make docs` installs what builds the site")

    site.build()

    assert (site.SITE / "index.html").exists()
    built = {str(path.relative_to(site.SITE)) for path in (site.SITE / "docs").glob("*.html")}
    assert {
        f"docs/{page.stem}.html" for page in site.pages() if page.parent.name == "docs"
    } <= built
    assert not list(links.problems(site.SITE))
