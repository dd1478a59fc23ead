"""Train a recipe kept as JSON: `python worker.py RECIPE.json OUT`, alone or by a launcher."""

import json
import sys
from pathlib import Path

from hodograph.recipes import parse_recipe
from hodograph.training import train

if __name__ == "__main__":
    source, out = map(Path, sys.argv[1:])
    train(parse_recipe(json.loads(source.read_text()), str(source)), out)
