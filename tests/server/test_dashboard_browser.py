"""The dashboard in a real Chromium: upload, each view, bad files, two users, a phone.

Set SIGHTLINE_SCREENSHOTS to a folder to keep pictures of what the tests saw.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from live_server import running
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from served_place import (
    PLAN_WIDTH,
    PX_PER_M,
    FakeLocalizer,
    make_place,
    nearest_walkable,
    photo,
)

from sightline.app.place_confidence import PlaceConfidence
from sightline.server.application import create_app
from sightline.server.dashboard import STATIC_DIR
from sightline.tasks.absolute.confidence import ConfidenceModel

pytestmark = pytest.mark.browser

Driver = webdriver.Chrome
CHROMIUM, CHROMEDRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
)
DESKTOP, PHONE = (1360, 860), (375, 740)


@pytest.fixture(scope="session", autouse=True)
def built_dashboard():
    if not (STATIC_DIR / "index.html").is_file():
        pytest.fail(f"the dashboard is not built ({STATIC_DIR}); run `make` first")
    for program in (CHROMIUM, CHROMEDRIVER):
        if not program.is_file():
            pytest.fail(f"{program} is wanted; install Debian's chromium and chromium-driver")


@pytest.fixture(scope="module")
def open_browser(tmp_path_factory) -> Iterator[Callable[[], Driver]]:
    """Start a Chromium with a profile of its own; all are closed at the end."""
    drivers: list[Driver] = []

    def start() -> Driver:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        profile = tmp_path_factory.mktemp("profile")
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options, webdriver.ChromeService(str(CHROMEDRIVER)))
        drivers.append(driver)
        return driver

    yield start
    for driver in drivers:
        driver.quit()


@pytest.fixture(scope="module")
def chromium(open_browser) -> Driver:
    return open_browser()


@pytest.fixture
def browser(chromium: Driver) -> Iterator[Driver]:
    """The module's browser at desktop size; afterwards its console must be free of errors."""
    resize(chromium, DESKTOP)
    emulate_theme(chromium, "light")
    read_logs(chromium)
    yield chromium
    console, requests = read_logs(chromium)
    assert [
        line for line in console if "status of 4" not in line and "status of 5" not in line
    ] == []
    outside = [
        url for url in requests if not url.startswith(("http://127.0.0.1:", "blob:", "data:"))
    ]
    assert outside == []
    assert any("/api/place" in url for url in requests)


@pytest.fixture
def address(localizer: FakeLocalizer) -> Iterator[str]:
    with running(create_app(localizer)) as address:
        yield address


def read_logs(driver: Driver) -> tuple[list[str], list[str]]:
    """Return the console's warnings and errors, and every address asked, since the last call."""
    console = [
        entry["message"]
        for entry in driver.get_log("browser")
        if entry["level"] in ("WARNING", "SEVERE")
    ]
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    requests = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]
    # Chromium's own start page, before any of ours.
    return console, [url for url in requests if not url.startswith(("chrome:", "about:"))]


def resize(driver: Driver, size: tuple[int, int]) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {
            "width": size[0],
            "height": size[1],
            "deviceScaleFactor": 2 if size == PHONE else 1,
            "mobile": size == PHONE,
        },
    )
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": size == PHONE})


def emulate_theme(driver: Driver, theme: str) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": theme}]},
    )


def wait(driver: Driver, condition: Callable[[], object]) -> None:
    WebDriverWait(driver, 10, poll_frequency=0.05).until(lambda _: condition())


def find(driver: Driver, selector: str):
    return driver.find_element(By.CSS_SELECTOR, selector)


def find_all(driver: Driver, selector: str):
    return driver.find_elements(By.CSS_SELECTOR, selector)


def open_page(driver: Driver, address: str) -> None:
    driver.get(address + "/")
    wait(driver, lambda: find(driver, "#place-name").text)


def upload(driver: Driver, folder: Path, photos: dict[str, bytes]) -> None:
    """Choose files as a user does; wait until every photo is answered or has failed."""
    folder.mkdir(exist_ok=True)
    paths = []
    for name, data in photos.items():
        (folder / name).write_bytes(data)
        paths.append(str(folder / name))
    before = len(find_all(driver, ".photo"))
    find(driver, "#file").send_keys("\n".join(paths))
    settled = ".photo:is([data-state=refined],[data-state=regressed],[data-state=unknown],"
    settled += "[data-state=failed])"
    wait(driver, lambda: len(find_all(driver, settled)) == before + len(photos))


def show(driver: Driver, view: str) -> None:
    find(driver, f"#tab-{view}").click()
    wait(driver, lambda: find(driver, f"#view-{view}").is_displayed())


def keep_picture(driver: Driver, name: str) -> None:
    if folder := os.environ.get("SIGHTLINE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        driver.save_screenshot(str(Path(folder) / f"{name}.png"))


def center_in_plan_px(driver: Driver, view: str, selector: str) -> tuple[float, float]:
    """Return where an element's centre is drawn, measured on the screen against the plan.

    After a frame has been drawn: a view just shown is laid out in it (ResizeObserver).
    """
    script = """
    const [view, selector, width, done] = arguments;
    const box = (e) => e.getBoundingClientRect();
    const measure = () => {
      const plan = box(document.querySelector(view + " .plan-picture"));
      const mark = box(document.querySelector(view + " " + selector));
      const perPixel = plan.width / width;
      done([(mark.x + mark.width / 2 - plan.x) / perPixel - 0.5,
            (mark.y + mark.height / 2 - plan.y) / perPixel - 0.5]);
    };
    requestAnimationFrame(() => requestAnimationFrame(measure));
    """
    u, v = driver.execute_async_script(script, f"#view-{view}", selector, PLAN_WIDTH)
    return u, v


DOT = ".marker.selected circle.dot"
ON_FLOOR, OFF_FLOOR = (60, 35), (110, 72)


def test_numbers(browser, address, tmp_path):
    open_page(browser, address)
    upload(browser, tmp_path / "in", {"hall.png": photo(*ON_FLOOR)})
    show(browser, "numbers")
    text = find(browser, "#view-numbers").text
    for number in (
        "6.000",
        "12.500",
        "1.600",
        "0.5000",
        "-0.5000",
        "60.0°",
        "93%",
        "107",
        "310 ms",
    ):
        assert number in text
    assert "120.0" in find(browser, "#tile-on-the-plan").text
    assert find(browser, "#status").text == "Refined"
    assert "107 points agree" in find(browser, "#result-head").text
    assert find_all(browser, "#off-floor") == []
    keep_picture(browser, "desktop-numbers")


def test_numbers_warn_off_the_walkable_floor(browser, address, tmp_path):
    open_page(browser, address)
    upload(browser, tmp_path / "in", {"court.png": photo(*OFF_FLOOR, 60)})
    show(browser, "numbers")
    assert find(browser, "#status").text == "Estimated"
    warning = find(browser, "#off-floor")
    u, v = 2 * OFF_FLOOR[0], 2 * OFF_FLOOR[1]
    nearest = nearest_walkable(u, v)
    distance_m = math.hypot(nearest[0] - u, nearest[1] - v) / PX_PER_M
    assert f"{distance_m:.2f} m away" in warning.text
    keep_picture(browser, "desktop-numbers-off-floor")
    find(browser, "#off-floor button").click()
    wait(browser, lambda: find(browser, "#view-walkable").is_displayed())


@pytest.mark.parametrize("spot", [ON_FLOOR, OFF_FLOOR])
def test_raw_position_on_the_plan(browser, address, tmp_path, spot):
    open_page(browser, address)
    upload(browser, tmp_path / "in", {"a.png": photo(*spot)})
    show(browser, "raw")
    expected = (2 * spot[0], 2 * spot[1])
    assert center_in_plan_px(browser, "raw", DOT) == pytest.approx(expected, abs=0.5)
    assert find_all(browser, "#view-raw .plan-forbidden") == []
    note = find(browser, "#view-raw .plan-note")
    assert note.is_displayed() == (spot == OFF_FLOOR)
    keep_picture(browser, f"desktop-raw-{spot[0]}")


@pytest.mark.parametrize("spot", [ON_FLOOR, OFF_FLOOR])
def test_walkable_position_on_the_plan(browser, address, tmp_path, spot):
    open_page(browser, address)
    upload(browser, tmp_path / "in", {"a.png": photo(*spot)})
    show(browser, "walkable")
    raw = (2 * spot[0], 2 * spot[1])
    nearest = nearest_walkable(*raw)
    assert center_in_plan_px(browser, "walkable", DOT) == pytest.approx(nearest, abs=0.5)
    moved = find_all(browser, "#view-walkable .raw-dot")
    assert len(moved) == (1 if spot == OFF_FLOOR else 0)
    if moved:
        drawn = center_in_plan_px(browser, "walkable", ".raw-dot")
        assert drawn == pytest.approx(raw, abs=0.5)
    keep_picture(browser, f"desktop-walkable-{spot[0]}")


def screen_rgb(driver: Driver, view: str, u: float, v: float) -> np.ndarray:
    """Return the colour on the screen at a plan pixel."""
    box = driver.execute_script(
        "const b = document.querySelector(arguments[0] + ' .plan-picture')"
        ".getBoundingClientRect(); return [b.x, b.y, b.width];",
        f"#view-{view}",
    )
    per_px = box[2] / PLAN_WIDTH
    shot = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    at = (round(box[0] + (u + 0.5) * per_px), round(box[1] + (v + 0.5) * per_px))
    return np.array(shot.getpixel(at), dtype=int)


def test_forbidden_zones_are_shaded_red(browser, address):
    open_page(browser, address)
    in_court, in_corridor = (300, 190), (300, 250)
    show(browser, "walkable")
    wait(browser, lambda: screen_rgb(browser, "walkable", *in_court)[1] < 200)
    red, green, _ = screen_rgb(browser, "walkable", *in_court)
    assert red > green + 50
    assert np.ptp(screen_rgb(browser, "walkable", *in_corridor)) < 10
    show(browser, "raw")
    assert np.ptp(screen_rgb(browser, "raw", *in_court)) < 10
    keep_picture(browser, "desktop-empty")


def test_the_wedge_points_where_the_camera_looks(browser, address, tmp_path):
    open_page(browser, address)
    upload(browser, tmp_path / "in", {"a.png": photo(*ON_FLOOR)})
    show(browser, "raw")
    dot = center_in_plan_px(browser, "raw", DOT)
    wedge = center_in_plan_px(browser, "raw", ".marker.selected .wedge")
    # 60 degrees clockwise from up, 28 to each side: the box of that sector of radius 1 goes from
    # (0, 0) to (sin 88, cos 32).
    expected = math.atan2(math.sin(math.radians(88)), math.cos(math.radians(32)))
    drawn = math.atan2(wedge[0] - dot[0], dot[1] - wedge[1])
    assert math.degrees(drawn) == pytest.approx(math.degrees(expected), abs=1.5)


def test_several_photos_one_selected(browser, address, tmp_path):
    open_page(browser, address)
    spots = {"a.png": (20, 30), "b.png": (60, 30), "c.png": (200, 60), "d.png": (120, 125)}
    photos = {name: photo(*spot, 60 if name == "c.png" else 0) for name, spot in spots.items()}
    photos["e.png"] = photo(10, 10, 120)
    upload(browser, tmp_path / "in", photos)
    assert len(find_all(browser, "#view-walkable .marker")) == 4
    for name in ("c.png", "a.png"):
        find(browser, f".photo:has([title='{name}'])").click()
        wait(browser, lambda name=name: find(browser, ".result-title").text == name)
        selected = find_all(browser, "#view-walkable .marker.selected")
        assert [m.get_attribute("data-image") for m in selected] == [name]
        assert float(selected[0].get_attribute("data-u")) == 2 * spots[name][0]
        # Others are there, faintly.
        other = find(browser, "#view-walkable .marker:not(.selected)")
        assert float(other.value_of_css_property("opacity")) < 0.6
        assert float(selected[0].value_of_css_property("opacity")) == 1
    keep_picture(browser, "desktop-several")
    find(browser, ".photo:has([title='e.png'])").click()
    assert "Don’t know" in find(browser, "#result-head").text
    assert find_all(browser, ".marker.selected") == []
    keep_picture(browser, "desktop-unknown")


def test_a_marker_can_be_clicked(browser, address, tmp_path):
    open_page(browser, address)
    upload(browser, tmp_path / "in", {"a.png": photo(20, 30), "b.png": photo(200, 60)})
    assert find(browser, ".result-title").text == "a.png"
    find(browser, "#view-walkable .marker[data-image='b.png'] circle.dot").click()
    wait(browser, lambda: find(browser, ".result-title").text == "b.png")


def test_zoom_keeps_the_marker_in_its_place(browser, address, tmp_path):
    open_page(browser, address)
    upload(browser, tmp_path / "in", {"a.png": photo(*ON_FLOOR)})
    show(browser, "raw")
    width = find(browser, f"#view-raw {DOT}").size["width"]
    plan = find(browser, "#view-raw .plan")
    before = find(browser, "#view-raw .plan-picture").size["width"]
    plan.send_keys("+++")
    wait(browser, lambda: find(browser, "#view-raw .plan-picture").size["width"] > 2 * before)
    expected = (2 * ON_FLOOR[0], 2 * ON_FLOOR[1])
    assert center_in_plan_px(browser, "raw", DOT) == pytest.approx(expected, abs=0.5)
    assert find(browser, f"#view-raw {DOT}").size["width"] == pytest.approx(width, abs=0.01)
    # Zooming goes towards the selected answer, so it stays in sight.
    frame = browser.execute_script(
        "const b = document.querySelector('#view-raw .plan').getBoundingClientRect();"
        "const m = document.querySelector(arguments[0]).getBoundingClientRect();"
        "return m.x > b.x && m.right < b.right && m.y > b.y && m.bottom < b.bottom;",
        f"#view-raw {DOT}",
    )
    assert frame is True
    keep_picture(browser, "desktop-zoomed")
    find(browser, "#view-raw [aria-label='Show the whole plan']").click()
    wait(browser, lambda: find(browser, "#view-raw .plan-picture").size["width"] == before)


def test_a_bad_file_is_a_friendly_alert(browser, address, tmp_path):
    open_page(browser, address)
    upload(browser, tmp_path / "in", {"notes.jpg": b"this is no photo"})
    alert = find(browser, "#photo-problem")
    assert alert.get_attribute("role") == "alert"
    assert "Not a kind of photo this service reads" in alert.text
    assert "notes.jpg" in alert.text
    assert find(browser, "#status").text == "Failed"
    keep_picture(browser, "desktop-bad-file")
    # A bad one that is not selected is told at the top, and the good one is answered.
    find(browser, "#clear").click()
    upload(browser, tmp_path / "in", {"ok.png": photo(*ON_FLOOR), "bad.jpg": b"no photo"})
    assert find(browser, "#status").text == "Refined"
    wait(browser, lambda: "bad.jpg" in find(browser, "#alerts").text)
    find(browser, "#alerts .btn-close").click()
    assert find_all(browser, "#alerts .alert") == []


def test_an_answer_that_is_not_sure_enough_is_withheld_in_words(browser, localizer, tmp_path):
    localizer.confidence = PlaceConfidence(ConfidenceModel(), least=0.9043)
    with running(create_app(localizer)) as address:
        open_page(browser, address)
        upload(browser, tmp_path / "in", {"hall.png": photo(*ON_FLOOR, 140)})
        assert find(browser, "#status").text == "Don’t know"
        words = find(browser, "#result-head").text
        # 0.6229 rounded down, 0.9043 rounded up
        assert "it is only 62% likely to be within 0.50 m of the truth; 91% is wanted here" in words
        show(browser, "numbers")
        tile = find(browser, "#tile-confidence").text
        assert "62%" in tile
        assert "too little to answer" in tile
        assert find_all(browser, ".marker") == []
        upload(browser, tmp_path / "in", {"else.png": photo(*ON_FLOOR, 110)})
        find(browser, ".photo:has([title='else.png'])").click()
        wait(browser, lambda: "fits the map well enough" in find(browser, "#result-head").text)


def test_a_server_that_fails_is_a_friendly_alert(browser, address, tmp_path):
    open_page(browser, address)
    upload(browser, tmp_path / "in", {"bug.png": photo(*ON_FLOOR, 220)})
    alert = find(browser, "#photo-problem").text
    assert "Internal Server Error" in alert
    assert "secret" not in alert


def test_a_file_over_the_limit_is_not_sent(browser, localizer, settings, tmp_path):
    with running(create_app(localizer, settings)) as address:
        open_page(browser, address)
        upload(browser, tmp_path / "in", {"large.jpg": b"x" * 50_000})
        assert "The photo is too large" in find(browser, "#photo-problem").text
        _, requests = read_logs(browser)
        assert not [url for url in requests if "localize" in url]
        open_page(browser, address)


def test_a_busy_server_is_asked_again(browser, place, settings, tmp_path):
    from dataclasses import replace

    localizer = FakeLocalizer(place, seconds=0.4)
    busy = replace(settings, max_requests=1, retry_after_s=1)
    with running(create_app(localizer, busy)) as address:
        open_page(browser, address)
        photos = {f"{i}.png": photo(20 + i, 30) for i in range(3)}
        upload(browser, tmp_path / "in", photos)
        assert len(find_all(browser, ".photo[data-state=refined]")) == 3


def test_two_users_at_once_see_their_own_answers(browser, open_browser, place, tmp_path):
    localizer = FakeLocalizer(place, seconds=0.5)
    other = open_browser()
    resize(other, DESKTOP)
    users = {browser: (20, 30), other: (210, 130)}
    with running(create_app(localizer)) as address:
        for driver in users:
            open_page(driver, address)
        for number, (driver, spot) in enumerate(users.items()):
            path = tmp_path / f"user{number}.png"
            path.write_bytes(photo(*spot))
            find(driver, "#file").send_keys(str(path))
        for number, (driver, spot) in enumerate(users.items()):
            wait(driver, lambda d=driver: find_all(d, ".photo[data-state=refined]"))
            assert len(find_all(driver, ".photo")) == 1
            assert find(driver, ".result-title").text == f"user{number}.png"
            expected = (2 * spot[0], 2 * spot[1])
            assert center_in_plan_px(driver, "walkable", DOT) == pytest.approx(expected, abs=0.5)
    assert sorted(name for call in localizer.calls for name in call) == ["user0.png", "user1.png"]


def test_a_phone(browser, address, tmp_path):
    resize(browser, PHONE)
    open_page(browser, address)
    assert find(browser, "#take").is_displayed()
    assert find(browser, "#camera").get_attribute("capture") == "environment"
    keep_picture(browser, "phone-empty")
    photos = {
        "IMG_20250114_101500_a_rather_long_name.png": photo(*OFF_FLOOR, 60),
        "b.png": photo(200, 60),
        "bad.jpg": b"no",
    }
    upload(browser, tmp_path / "in", photos)
    for view in ("numbers", "raw", "walkable"):
        show(browser, view)
        widths = browser.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert widths == [PHONE[0], PHONE[0]]
        keep_picture(browser, f"phone-{view}")
    nearest = nearest_walkable(2 * OFF_FLOOR[0], 2 * OFF_FLOOR[1])
    assert center_in_plan_px(browser, "walkable", DOT) == pytest.approx(nearest, abs=0.5)
    for button in find_all(browser, "button"):
        if button.is_displayed():
            assert button.accessible_name


def test_the_keyboard_alone_is_enough(browser, address, tmp_path):
    open_page(browser, address)
    upload(browser, tmp_path / "in", {"a.png": photo(20, 30), "b.png": photo(200, 60)})
    second = find(browser, ".photo:has([title='b.png'])")
    second.send_keys(Keys.ENTER)
    wait(browser, lambda: find(browser, ".result-title").text == "b.png")
    assert browser.switch_to.active_element == second
    assert second.get_attribute("aria-current") == "true"
    tab = find(browser, "#tab-walkable")
    tab.send_keys(Keys.ARROW_LEFT)
    wait(browser, lambda: find(browser, "#view-raw").is_displayed())
    browser.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    wait(browser, lambda: find(browser, "#view-numbers").is_displayed())
    assert find(browser, "#tab-numbers").get_attribute("aria-selected") == "true"


def test_without_a_plan_numbers_are_shown_and_the_page_says_so(browser, tmp_path):
    place = make_place(tmp_path / "bare", with_plan=False)
    with running(create_app(FakeLocalizer(place))) as address:
        open_page(browser, address)
        upload(browser, tmp_path / "in", {"a.png": photo(*ON_FLOOR)})
        assert find(browser, "#view-numbers").is_displayed()
        assert "no floor plan" in find(browser, "#no-plan").text
        assert "12.500" in find(browser, "#tile-position").text
        assert not find(browser, "#tab-raw").is_enabled()
        assert not find(browser, "#tab-walkable").is_enabled()
        keep_picture(browser, "desktop-no-plan")


def test_dark_as_the_system_says_and_by_choice(browser, address, tmp_path):
    emulate_theme(browser, "dark")
    open_page(browser, address)
    root = find(browser, "html")
    assert root.get_attribute("data-bs-theme") == "dark"
    upload(browser, tmp_path / "in", {"a.png": photo(*OFF_FLOOR, 60)})
    keep_picture(browser, "dark-walkable")
    show(browser, "numbers")
    keep_picture(browser, "dark-numbers")
    find(browser, "#theme-button").click()
    assert root.get_attribute("data-bs-theme") == "light"
    browser.refresh()
    wait(browser, lambda: find(browser, "#place-name").text)
    assert find(browser, "html").get_attribute("data-bs-theme") == "light"


def test_answers_can_be_taken_along(browser, address, tmp_path):
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)}
    )
    open_page(browser, address)
    upload(browser, tmp_path / "in", {"=a,b.png": photo(*ON_FLOOR), "bad.jpg": b"no"})
    find(browser, "#download-csv").click()
    table = downloads / "sightline.csv"
    wait(browser, table.is_file)
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["status"] for row in rows] == ["refined", "failed"]
    # A spreadsheet must not take the name for a formula.
    assert rows[0]["image"] == "'=a,b.png"
    assert float(rows[0]["x"]) == 6.0
    assert float(rows[0]["plan_y_px"]) == 2 * ON_FLOOR[1]
    find(browser, "#copy-json").click()
    wait(browser, lambda: find(browser, "#copy-json").text == "Copied")


def test_dropped_photos_are_taken(browser, address):
    open_page(browser, address)
    script = """
    const data = new DataTransfer();
    const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], "dropped.png", {type: "image/png"}));
    document.querySelector("#dropzone").dispatchEvent(
      new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data}));
    """
    import base64

    browser.execute_script(script, base64.b64encode(photo(*ON_FLOOR)).decode())
    wait(browser, lambda: find_all(browser, ".photo[data-state=refined]"))
    assert find(browser, ".result-title").text == "dropped.png"


def test_the_page_loads_nothing_inline_or_from_outside():
    page = (STATIC_DIR / "index.html").read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert not [a for a in addresses if "//" in a]
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert "style=" not in page


def test_a_server_that_is_gone_is_said(browser, localizer, tmp_path):
    with running(create_app(localizer)) as address:
        open_page(browser, address)
    path = tmp_path / "a.png"
    path.write_bytes(photo(*ON_FLOOR))
    find(browser, "#file").send_keys(str(path))
    wait(browser, lambda: find_all(browser, "#photo-problem"))
    assert "No answer from the server" in find(browser, "#photo-problem").text
    time.sleep(0.1)
    refused = [line for line in read_logs(browser)[0] if "ERR_CONNECTION_REFUSED" in line]
    assert refused
    with running(create_app(localizer)) as address:
        open_page(browser, address)
