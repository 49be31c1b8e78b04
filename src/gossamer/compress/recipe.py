"""Compression recipes: tuples of passes, as Python, plain data or YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from gossamer.compress.contract import Pass
from gossamer.compress.registry import PASSES
from gossamer.errors import DataError, MissingDependencyError, SpecError
from gossamer.registry import unknown_name
from gossamer.train.options import options_from_dict, options_to_dict

Recipe = tuple[Pass, ...]
_SHIPPED = files("gossamer.compress") / "recipes"


def load_recipe(source: str | Path | Mapping[str, Any] | Sequence[Pass]) -> Recipe:
    """Return a recipe from whatever names or describes one.

    Args:
        source: the name of a shipped recipe, the path of a YAML file (ending in .yaml or .yml),
            the mapping that such a file holds, or the passes themselves.

    Raises:
        SpecError: if the description is not usable.
        UnknownNameError: if a recipe or pass is not known.
        DataError: if the file cannot be read.

    Examples:
        >>> [step.name for step in load_recipe("deep-compression")]
        ['gradual-prune', 'share-weights']
    """
    if isinstance(source, Mapping):
        return recipe_from_dict(source)
    if not isinstance(source, (str, Path)):
        return _passes(source)
    if Path(source).suffix.lower() in (".yaml", ".yml"):
        try:
            return recipe_from_text(Path(source).read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError("cannot read the recipe", where=source, got=error) from None
    if str(source) not in shipped_recipes():
        error = unknown_name("recipe", str(source), shipped_recipes())
        error.expected = "a recipe of the package, or a .yaml file"
        raise error
    return recipe_from_text((_SHIPPED / f"{source}.yaml").read_text("utf-8"))


def _passes(source: object) -> Recipe:
    """Return passes that are given as objects, or raise SpecError."""
    if not isinstance(source, Sequence):
        raise SpecError("not a recipe", got=source, expected="a name, a .yaml file or [pass, …]")
    for index, step in enumerate(source):
        if isinstance(step, type) or not hasattr(step, "apply"):
            raise SpecError(
                "not a pass",
                where=f"pass {index}",
                got=step,
                hint="give objects such as Prune(sparsity=0.9), or {'passes': [{'pass': …}, …]}",
            )
    return tuple(source)


def shipped_recipes() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return sorted(
        Path(item.name).stem for item in _SHIPPED.iterdir() if item.name.endswith(".yaml")
    )


def recipe_from_dict(data: Mapping[str, Any]) -> Recipe:
    """Build the passes of `{"passes": [{"pass": NAME, OPTION: VALUE, …}, …]}`.

    Raises:
        SpecError: on anything else.
        UnknownNameError: if a pass is not known.
    """
    if set(data) != {"passes"} or not isinstance(data["passes"], list):
        raise SpecError("a recipe holds one list, 'passes'", where="recipe", got=list(data))
    return tuple(_pass_from_dict(item, index) for index, item in enumerate(data["passes"]))


def _pass_from_dict(item: object, index: int) -> Pass:
    if not isinstance(item, Mapping) or not isinstance(item.get("pass"), str):
        raise SpecError(
            "a pass is a mapping with its name under 'pass'", where=f"pass {index}", got=item
        )
    name = item["pass"]
    options = {key: value for key, value in item.items() if key != "pass"}
    return options_from_dict(PASSES[name], options, where=f"pass {index} ({name})")


def recipe_to_dict(recipe: Sequence[Pass]) -> dict[str, Any]:
    """Return what `recipe_from_dict` takes, every option written out."""
    return {"passes": [{"pass": step.name, **options_to_dict(step)} for step in recipe]}


def recipe_from_text(text: str) -> Recipe:
    """Build the passes of a YAML text; JSON is YAML too."""
    yaml = _yaml()
    try:
        data = yaml.safe_load(text)
        _refuse_repeated_keys(yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise SpecError("not YAML", where="recipe", got=" ".join(str(error).split())) from None
    if not isinstance(data, Mapping):
        raise SpecError("a recipe is a mapping", where="recipe", got=type(data).__name__)
    return recipe_from_dict(data)


def _refuse_repeated_keys(node: Any) -> None:
    """Raise SpecError for a key that a mapping has twice: YAML would keep the last, silently."""
    children = getattr(node, "value", None)
    if not isinstance(children, list):
        return
    pairs = [child for child in children if isinstance(child, tuple)]
    keys = [key.value for key, _ in pairs if isinstance(key.value, str)]
    if repeated := sorted({key for key in keys if keys.count(key) > 1}):
        line = node.start_mark.line + 1
        raise SpecError("a key is given twice", where=f"recipe, from line {line}", got=repeated)
    for child in children:
        for part in child if isinstance(child, tuple) else [child]:
            _refuse_repeated_keys(part)


def recipe_to_text(recipe: Sequence[Pass]) -> str:
    """Return the YAML text of a recipe.

    Examples:
        >>> recipe = load_recipe("digits")
        >>> recipe_from_text(recipe_to_text(recipe)) == recipe
        True
    """
    return _yaml().safe_dump(recipe_to_dict(recipe), sort_keys=False, allow_unicode=True)


def _yaml() -> Any:
    try:
        import yaml
    except ImportError:
        raise MissingDependencyError(
            "recipes as text need PyYAML", hint="pip install 'gossamer[train]'"
        ) from None
    return yaml
