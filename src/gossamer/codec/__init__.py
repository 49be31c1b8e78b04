"""Graph ↔ bytes: the `.goss` file. The format is described in `docs/format.md`."""
