"""The gate: is this photo of any use for localisation?"""

from sightline.tasks.utility.gate.network import Gate, Verdict, load_gate

__all__ = ["Gate", "Verdict", "load_gate"]
