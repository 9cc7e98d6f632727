"""The explorer's page in a real browser, for all tests of figures."""

from explorer_pages import browser, page, page_of_module, path, shared  # noqa: F401 (fixtures)
