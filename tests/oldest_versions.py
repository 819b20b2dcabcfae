"""Prints the oldest versions of the dependencies that setup.cfg allows, as constraints for pip: `name==3.8.*`."""

import configparser
import pathlib
import re

SETUP = pathlib.Path(__file__).parents[1] / "setup.cfg"


def constraints(setup):
    """The constraints that follow from the text of a setup.cfg: for each range its lower end, with any last digits."""
    parser = configparser.ConfigParser()
    parser.read_string(setup)
    lines = [parser["options"]["install_requires"], *parser["options.extras_require"].values()]
    found = {}
    for line in "\n".join(lines).split():
        range_ = re.fullmatch(r"([\w-]+)>=([\d.]+),<[\d.]+", line)
        if range_:
            found[range_[1]] = f"{range_[1]}=={range_[2]}.*"
    return sorted(found.values())


if __name__ == "__main__":
    print("\n".join(constraints(SETUP.read_text(encoding="utf-8"))))
