"""Write recommender.json: factors as implicit fits them, and EASE^R in closed form, on a made-up matrix.

    pip install -r tests/parity/requirements.txt
    python tests/parity/recommender.py

`training/src/fit/recommender/parity.rs` is held to the file.

implicit gives a pair that was seen the confidence c and the target 1; we weigh what was not seen by u, what was by 1 + u,
with the target t = 1 / (1 + u). With c = 1 / u + 1, regularisation r / (u t) instead of our r, and factors that begin 1 / sqrt(t)
as large, both solve the same equations, implicit's factors staying 1 / sqrt(t) times ours in every step of conjugate
gradients. So the same start must end in the same place but for rounding in single precision.
"""

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.cpu._als import calculate_loss
from scipy.sparse import csr_matrix

from figures import write

USERS, ITEMS, WIDTH, ROUNDS = 90, 36, 6, 4
UNOBSERVED, REGULARISATION = 0.1, 0.6
# EASE^R's ridge in multiples of the mean squared length of a column, as we state it.
MULTIPLE = 3.0

rng = np.random.default_rng(3)
kind = rng.integers(0, 4, USERS)
own = kind[:, None] == np.arange(ITEMS)[None, :] % 4
seen = rng.random((USERS, ITEMS)) < np.where(own, 0.55, 0.12)
target = 1 / (1 + UNOBSERVED)
confidence = csr_matrix(seen.astype(np.float32) * np.float32(1 / UNOBSERVED + 1))


def model(iterations: int) -> AlternatingLeastSquares:
    return AlternatingLeastSquares(
        factors=WIDTH, regularization=REGULARISATION / UNOBSERVED / target, alpha=1.0, iterations=iterations,
        use_native=True, use_cg=True, use_gpu=False, num_threads=1, random_state=1)  # fmt: skip


start = rng.normal(0, 0.3, (USERS + ITEMS, WIDTH)).round(4)
few = model(ROUNDS)
few.user_factors = (start[:USERS] / np.sqrt(target)).astype(np.float32)
few.item_factors = (start[USERS:] / np.sqrt(target)).astype(np.float32)
few.fit(confidence, show_progress=False)
ended = np.vstack([few.user_factors, few.item_factors]) * np.sqrt(target)

# From a start of its own, to the end: the loss that both bring down, as we weigh it.
many = model(60)
many.fit(confidence, show_progress=False)
users, items = (factors.astype(float) * np.sqrt(target) for factors in (many.user_factors, many.item_factors))
scores = users @ items.T
loss = ((scores - 1)[seen] ** 2).sum() + UNOBSERVED * (scores**2).sum()
loss += REGULARISATION * ((users**2).sum() + (items**2).sum())

# Ours leaves out items that nobody has together with the one sought; here there are none.
dense = rng.random((USERS, ITEMS)) < np.where(own, 0.65, 0.35)
counts = dense.astype(float)
gram = counts.T @ counts
assert gram.min() > 0
inverse = np.linalg.inv(gram + MULTIPLE * np.diag(gram).mean() * np.eye(ITEMS))
ease = -inverse / np.diag(inverse)
np.fill_diagonal(ease, 0)
write(
    ["implicit", "scipy", "numpy"],
    {"seen": [np.flatnonzero(row) for row in seen], "items": ITEMS, "width": WIDTH, "rounds": ROUNDS,
     "unobserved": UNOBSERVED, "regularisation": REGULARISATION, "start": start.ravel(), "ended": ended.ravel(),
     "loss": loss, "dense": [np.flatnonzero(row) for row in dense], "ease_regularisation": MULTIPLE, "ease": ease.ravel()},
)  # fmt: skip
