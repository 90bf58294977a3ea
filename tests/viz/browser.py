"""Headless Chromium by way of chromedriver, whose protocol is JSON over HTTP: the standard library is enough to speak it.

``python tests/viz/browser.py PAGE.html PICTURE.png [WIDTH HEIGHT] [dark] [SCRIPT]`` takes a screenshot of a page.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MISSING = "" if CHROMIUM and DRIVER else "needs chromium and chromedriver (apt install chromium chromium-driver)"


class Browser:
    """One window, cut off from every network."""

    def __init__(self, width=1280, height=800, dark=False, scale=1):
        self.driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        found = None
        while not found:
            line = self.driver.stdout.readline()
            if not line:
                raise OSError("chromedriver ended before it listened")
            found = re.search(r"successfully on port (\d+)", line)
        self.base = f"http://127.0.0.1:{found[1]}/session"
        flags = ["--headless=new", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", f"--force-device-scale-factor={scale}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            flags.append("--no-sandbox")
        wants = {
            "goog:chromeOptions": {"binary": CHROMIUM, "args": flags},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        try:
            self.base += "/" + self.post("", {"capabilities": {"alwaysMatch": wants}})["sessionId"]
            self.size(width, height, scale)
            self.theme(dark)
            self.devtools("Network.enable")
            self.devtools("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        except BaseException:
            self.close()
            raise

    def post(self, path, body):
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def devtools(self, command, **params):
        return self.post("/goog/cdp/execute", {"cmd": command, "params": params})

    def size(self, width, height, scale=1):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)

    def theme(self, dark):
        wanted = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": k, "value": v} for k, v in wanted.items()])

    def open(self, path):
        self.post("/url", {"url": Path(path).resolve().as_uri()})

    def run(self, script, *args):
        """What a piece of JavaScript returns."""
        return self.post("/execute/sync", {"script": script, "args": list(args)})

    def settled(self):
        """Wait until the page has drawn what is due."""
        script = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0)))"
        self.post("/execute/async", {"script": script, "args": []})

    def keys(self, *keys):
        """Press keys, one after the other, on what has the focus."""
        for key in keys:
            more = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
            self.devtools("Input.dispatchKeyEvent", type="keyDown", key=key, **more)
            self.devtools("Input.dispatchKeyEvent", type="keyUp", key=key)

    def click(self, x, y, count=1):
        for kind in ("mousePressed", "mouseReleased"):
            self.devtools("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=count)

    def logs(self, kind):
        return self.post("/se/log", {"type": kind})

    def requests(self):
        """Addresses that were asked for since the last time."""
        events = [json.loads(entry["message"])["message"] for entry in self.logs("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def screenshot(self, path):
        self.settled()
        Path(path).write_bytes(base64.b64decode(self.devtools("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        try:
            if "session/" in self.base:
                request = urllib.request.Request(self.base, method="DELETE")
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20).close()
        finally:
            self.driver.terminate()
            self.driver.wait(20)
            self.driver.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def picture(page, path, width=1280, height=800, dark=False, script="", scale=1):
    """Write a screenshot of a page, a file; ``script`` is what to do in it first. Returns the path of the picture."""
    with Browser(width, height, dark, scale) as browser:
        browser.open(page)
        browser.settled()
        if script:
            browser.run(script)
        browser.screenshot(path)
    return path


def main(args):
    words = [a for a in args[2:] if not a.isdigit() and a != "dark"]
    numbers = [int(a) for a in args[2:] if a.isdigit()]
    picture(args[0], args[1], *numbers, dark="dark" in args, script=" ".join(words))


if __name__ == "__main__":
    main(sys.argv[1:])
