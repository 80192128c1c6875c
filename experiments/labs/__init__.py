"""Guided labs: what each asks a student for, and whether finished runs show it.

`catalogue` lists them; each lab is data in a module of its own. `checking` holds a student's runs
against that and is pure; `evidence` and `starting` touch files. The pages are in ``docs/labs``.
"""
