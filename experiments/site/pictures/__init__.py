"""The pictures of docs/concepts.md, drawn from the demo's scenario and from what it measured."""
