"""Numbers for tpe_surrogate_test.cpp from Optuna (pip install optuna==5.0.0): log l(x) - log g(x) after N trials."""
import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers._tpe.sampler import _split_trials, default_gamma

SPACE = {"instruction": CategoricalDistribution([0, 1, 2]), "demos": CategoricalDistribution([0, 1, 2, 3])}
ASKED = {"instruction": np.array([0, 1, 2, 2]), "demos": np.array([0, 3, 1, 2])}

for n in (10, 30, 36, 300):
    sampler = optuna.samplers.TPESampler(multivariate=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for i in range(n):
        study.add_trial(optuna.trial.create_trial(params={"instruction": i * 7 % 3, "demos": i * i % 4},
                                                  distributions=SPACE, value=i * 37 % 41 / 41))
    below, above = _split_trials(study, study.trials, default_gamma(n))
    low = sampler._build_parzen_estimator(study, SPACE, below, handle_below=True)
    high = sampler._build_parzen_estimator(study, SPACE, above, handle_below=False)
    print(n, [round(float(x), 9) for x in low.log_pdf(ASKED) - high.log_pdf(ASKED)])
