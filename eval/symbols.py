"""The LaTeX commands that `eval.mathml` reads, by kind."""

BLANK = '<mspace width="0.28em"/>'
_WIDE = '<mspace width="1em"/>'
_WIDEST = '<mspace width="2em"/>'

SPACES = {r"\,": BLANK, r"\:": BLANK, r"\;": BLANK, r"\ ": BLANK, "~": BLANK, r"\space": BLANK, r"\!": "",
           r"\quad": _WIDE, r"\qquad": _WIDEST}  # fmt: skip
NAMES = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "theta": "θ",
          "lambda": "λ", "mu": "μ", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
          "varphi": "φ", "omega": "ω", "Delta": "Δ", "Gamma": "Γ", "Sigma": "Σ", "Omega": "Ω", "Phi": "Φ",
          "Theta": "Θ", "infty": "∞", "bigstar": "★", "star": "⋆", "square": "□", "Box": "□", "triangle": "△",
          "bigcirc": "◯", "degree": "°", "pounds": "£", "euro": "€", "emptyset": "∅", "blacksquare": "■",
          "bullet": "•", "checkmark": "✓", "ell": "ℓ", "angle": "∠", "nabla": "∇", "dots": "…", "ldots": "…",
          "cdots": "⋯", "vdots": "⋮"}  # fmt: skip
OPERATORS = {"times": "×", "div": "÷", "pm": "±", "mp": "∓", "cdot": "⋅", "ast": "∗", "circ": "∘", "leq": "≤",
              "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "ne": "≠", "equiv": "≡", "approx": "≈", "sim": "∼",
              "cong": "≅", "propto": "∝", "lt": "<", "gt": ">", "to": "→", "rightarrow": "→", "leftarrow": "←",
              "longrightarrow": "⟶", "Rightarrow": "⇒", "Leftarrow": "⇐", "Leftrightarrow": "⇔",
              "leftrightarrow": "↔", "mapsto": "↦", "cup": "∪", "cap": "∩", "in": "∈", "notin": "∉", "subset": "⊂",
              "subseteq": "⊆", "perp": "⊥", "parallel": "∥", "mid": "|", "prime": "′", "sum": "∑", "int": "∫",
              "prod": "∏", "therefore": "∴", "because": "∵", "langle": "⟨", "rangle": "⟩", "colon": ":",
              "lfloor": "⌊", "rfloor": "⌋", "lbrace": "{", "rbrace": "}", "vert": "|"}  # fmt: skip
FUNCTIONS = frozenset(
    ("sin", "cos", "tan", "log", "ln", "exp", "max", "min", "gcd", "lcm", "arcsin", "arccos", "arctan")
)
TEXTS = frozenset(
    (
        r"\text",
        r"\mathrm",
        r"\textrm",
        r"\textit",
        r"\textbf",
        r"\operatorname",
        r"\mbox",
        r"\mathit",
        r"\mathsf",
        r"\texttt",
    )
)
BOLD = frozenset((r"\mathbf", r"\boldsymbol", r"\bm"))
ACCENTS = {r"\hat": "^", r"\bar": "¯", r"\overline": "¯", r"\vec": "→", r"\dot": "˙", r"\ddot": "¨",
            r"\overrightarrow": "→"}  # fmt: skip
FRACTIONS = frozenset((r"\frac", r"\dfrac", r"\tfrac", r"\cfrac"))
IGNORED = frozenset(
    (
        r"\hline",
        r"\displaystyle",
        r"\textstyle",
        r"\limits",
        r"\nolimits",
        r"\big",
        r"\Big",
        r"\bigg",
        r"\Bigg",
        r"\normalsize",
    )
)
FENCES = {"pmatrix": ("(", ")"), "bmatrix": ("[", "]"), "vmatrix": ("|", "|"), "cases": ("{", "")}
