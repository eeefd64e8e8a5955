"""Files from an agency's own computer to the pages, and localities with their outlines, as a person meets them."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from evm.services.contracts import add_contract
from evm.services.localities import set_polygons
from evm.store import people, plans
from tests.api.test_import_pages import patient
from tests.browser.conftest import OpenPage, Running
from tests.browser.test_stories import faults
from tests.domain.test_area import square
from tests.factories import COUNCIL, LOCALITY, NINE, PROVIDER, customer, planned_visit

__all__ = ["patient"]
pytestmark = pytest.mark.browser

HEADER = "customer,provider,locality,name,address,postcode,latitude,longitude,phone\n"
ANN = "c-ann,kindly,m14,Ann New,1 New Street,M14 5AB,53.4501,-2.2201,0161 496 0300\n"
BOB_WRONG = "c-bob,kindly,m14,Bob New,2 New Street,M14,53.4502,-2.2202,\n"
BOB = "c-bob,kindly,m14,Bob New,2 New Street,M14 5AD,53.4502,-2.2202,\n"


def width_over(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def look_at(page: Page, file: Path) -> None:
    page.goto("/imports")
    page.get_by_label("What the file holds").select_option(label="Customers")
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Look at this file").click()


@pytest.mark.parametrize(("size", "scripts"), [("desktop", True), ("phone", True), ("desktop", False)])
def test_a_file_with_a_bad_row_is_mended_and_taken_in_and_its_people_are_on_the_pages(
    open_page: OpenPage, tmp_path: Path, size: str, scripts: bool
) -> None:
    """Broken: an office could not tell which row is wrong, would have half its people taken in, or need scripts for it."""
    page = open_page(size=size, who="admin", scripts=scripts)
    file = tmp_path / "customers.csv"
    file.write_text(HEADER + ANN + BOB_WRONG)
    look_at(page, file)
    expect(page.get_by_role("alert")).to_contain_text("Nothing was taken in")
    row = page.get_by_role("row").filter(has_text="postcode")
    expect(row).to_contain_text("'M14' has not the form of a postcode")
    expect(row.get_by_role("rowheader")).to_have_text("3")
    expect(page.get_by_role("button", name="Take it in")).to_have_count(0)
    if scripts:
        assert faults(page) == []
    assert width_over(page) <= 0
    file.write_text(HEADER + ANN + BOB)
    look_at(page, file)
    expect(page.get_by_text("Nothing was taken in yet")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="c-bob")).to_contain_text("New")
    if scripts:
        assert faults(page) == []
    assert width_over(page) <= 0
    page.get_by_role("button", name="Take it in").click()
    expect(page.get_by_role("heading", name="Taken in")).to_be_visible()
    if scripts:
        assert faults(page) == []
    page.get_by_role("link", name="Imports").first.click()
    expect(page.get_by_role("row").filter(has_text="customers.csv")).to_contain_text("Admin Person")
    page.goto("/localities")
    expect(page.get_by_role("row").filter(has_text="Fallowfield")).to_contain_text("5")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_form_without_a_file_says_what_is_missing_beside_it(open_page: OpenPage, size: str) -> None:
    """Broken: pressing the button would do nothing that one can see or hear."""
    page = open_page(size=size, who="branch")
    page.goto("/imports")
    page.get_by_role("button", name="Look at this file").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose what the file holds")
    page.get_by_label("What the file holds").select_option(label="Workers")
    page.get_by_role("button", name="Look at this file").click()
    page.get_by_role("link", name="Choose a file").click()
    assert page.evaluate("document.activeElement.id") == "file"
    assert faults(page) == []


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_localities_show_their_outlines_and_contracts(open_page: OpenPage, running: Running, size: str) -> None:
    """Broken: a commissioner would not see who serves where, or only with a map from elsewhere."""
    with running.sessions.begin() as session:
        drawn = {LOCALITY: square(-2.3, 53.4), "m20": square(-2.2, 53.4)}
        set_polygons(session, council_id=COUNCIL, polygons=drawn, names={}, now=NINE)
        add_contract(session, contract_id="c-1", provider_id=PROVIDER, locality_id=LOCALITY, since=date(2026, 4, 1))
    page = open_page(size=size, who="commissioner")
    page.get_by_role("link", name="Localities").click()
    picture = page.get_by_role("img", name="Outlines of the localities of Manchester")
    expect(picture).to_be_visible()
    assert picture.locator("path").count() == 2
    row = page.get_by_role("row").filter(has_text="Fallowfield")
    expect(row).to_contain_text("Kindly Care, exclusive, since Wednesday 1 April 2026")
    assert faults(page) == []
    assert width_over(page) <= 0
    assert page.strangers == []


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_long_name_without_a_space_breaks_and_the_page_keeps_its_width(
    open_page: OpenPage, running: Running, tmp_path: Path, size: str
) -> None:
    """Broken: one file's or one person's name would push the buttons beside it out of sight on a phone."""
    file = tmp_path / f"{'customers' * 20}.csv"
    file.write_text(HEADER + ANN.replace("Ann New", "Ann" * 40))
    page = open_page(size=size, who="admin")
    look_at(page, file)
    expect(page.get_by_role("button", name="Take it in")).to_be_visible()
    assert width_over(page) <= 0
    page.goto("/imports")
    expect(page.get_by_role("link", name="customerscustomers")).to_be_visible()
    assert width_over(page) <= 0
    with running.sessions.begin() as session:
        people.add_customers(session, customers=[replace(customer("c-long"), name="Ada" * 40)])
        plans.add_planned_visits(session, visits=[planned_visit("v-long", customer="c-long")])
    for path in ("/visits", "/visits/v-long"):
        page.goto(path)
        assert width_over(page) <= 0, path


@pytest.mark.parametrize("scripts", [True, False])
def test_a_refused_shadow_mode_is_said_on_top_and_beside_its_field(open_page: OpenPage, scripts: bool) -> None:
    """Broken: on a phone the one red line would stand below the fold, beside no field, and a screen reader would not come to it."""
    page = open_page(size="phone", who="commissioner", scripts=scripts)
    page.goto("/invoices")
    page.get_by_label("Why").fill("The phones came late")
    page.get_by_role("button", name="Set shadow mode").click()
    expect(page).to_have_title(re.compile("^Error: Invoices"))
    page.get_by_role("alert").get_by_role("link", name="The day must be a day written").click()
    field = page.get_by_label("First day on which money is held")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-describedby", "shadow-until-error")
    if scripts:
        assert faults(page) == []
