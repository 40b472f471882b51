"""implicit's alternating least squares by conjugate gradients, 128 factors, 15 rounds: TRAIN THREADS."""

import os
import sys

# implicit asks for it: its own threads do the work.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import time

import implicit
import numpy as np
from scipy.sparse import csr_matrix

path, threads = sys.argv[1], int(sys.argv[2])
users, items = [], []
with open(path) as lines:
    for line in lines:
        user, *taken = map(int, line.split())
        users.extend([user] * len(taken))
        items.extend(taken)
shape = (max(users) + 1, max(items) + 1)
matrix = csr_matrix((np.ones(len(users), dtype=np.float32), (users, items)), shape=shape)
matrix.data[:] = 10
model = implicit.als.AlternatingLeastSquares(
    factors=128, iterations=15, use_cg=True, use_native=True, use_gpu=False, num_threads=threads, random_state=1)  # fmt: skip
start, cpu = time.perf_counter(), time.process_time()
model.fit(matrix, show_progress=False)
wall, cpu = time.perf_counter() - start, time.process_time() - cpu
print(f"implicit {implicit.__version__}: {wall:.2f} s, {cpu:.2f} s of processor time")
print(f"wall: {wall:.3f}")
print(f"cpu: {cpu:.3f}")
