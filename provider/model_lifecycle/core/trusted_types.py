"""What a model file may name: types that do nothing but hold a model's numbers (Law 11).

An allow-list, never a list of what is known to be bad. The types for skops are those that skops itself holds safe (its
0.16, compared by a test); those for pickles add the constructors that numpy, scikit-learn, joblib, torch and the
boosters write, none of which runs what it is given.
"""

from __future__ import annotations

import re

_SKLEARN = {
    "_loss": "AbsoluteError CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss CyHalfMultinomialLoss "
    "CyHalfPoissonLoss CyHalfSquaredError CyHalfTweedieLoss CyHalfTweedieLossIdentity CyHuberLoss CyPinballLoss "
    "ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfLogitLink HalfMultinomialLoss HalfPoissonLoss HalfSquaredError "
    "HuberLoss IdentityLink Interval LogLink LogitLink MultinomialLogit PinballLoss",
    "calibration": "CalibratedClassifierCV",
    "cluster": "AffinityPropagation AgglomerativeClustering Birch BisectingKMeans DBSCAN FeatureAgglomeration HDBSCAN "
    "KMeans MeanShift MiniBatchKMeans OPTICS SpectralBiclustering SpectralClustering SpectralCoclustering",
    "compose": "ColumnTransformer TransformedTargetRegressor",
    "covariance": "EllipticEnvelope EmpiricalCovariance GraphicalLasso GraphicalLassoCV LedoitWolf MinCovDet OAS "
    "ShrunkCovariance",
    "cross_decomposition": "CCA PLSCanonical PLSRegression PLSSVD",
    "decomposition": "DictionaryLearning FactorAnalysis FastICA IncrementalPCA KernelPCA LatentDirichletAllocation "
    "MiniBatchDictionaryLearning MiniBatchNMF MiniBatchSparsePCA NMF PCA SparseCoder SparsePCA TruncatedSVD",
    "discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "dummy": "DummyClassifier DummyRegressor",
    "ensemble": "AdaBoostClassifier AdaBoostRegressor BaggingClassifier BaggingRegressor ExtraTreesClassifier "
    "ExtraTreesRegressor GradientBoostingClassifier GradientBoostingRegressor HistGradientBoostingClassifier "
    "HistGradientBoostingRegressor IsolationForest RandomForestClassifier RandomForestRegressor RandomTreesEmbedding "
    "StackingClassifier StackingRegressor VotingClassifier VotingRegressor _BinMapper",
    "feature_extraction": "CountVectorizer DictVectorizer FeatureHasher HashingVectorizer PatchExtractor "
    "TfidfTransformer TfidfVectorizer",
    "feature_selection": "GenericUnivariateSelect RFE RFECV SelectFdr SelectFpr SelectFromModel SelectFwe SelectKBest "
    "SelectPercentile SequentialFeatureSelector VarianceThreshold",
    "frozen": "FrozenEstimator",
    "gaussian_process": "GaussianProcessClassifier GaussianProcessRegressor",
    "impute": "KNNImputer MissingIndicator SimpleImputer",
    "isotonic": "IsotonicRegression",
    "kernel_approximation": "AdditiveChi2Sampler Nystroem PolynomialCountSketch RBFSampler SkewedChi2Sampler",
    "kernel_ridge": "KernelRidge",
    "linear_model": "ARDRegression BayesianRidge ElasticNet ElasticNetCV EpsilonInsensitive GammaRegressor Hinge Huber "
    "HuberRegressor Lars LarsCV Lasso LassoCV LassoLars LassoLarsCV LassoLarsIC LinearRegression Log "
    "LogisticRegression LogisticRegressionCV ModifiedHuber MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso "
    "MultiTaskLassoCV OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV PassiveAggressiveClassifier "
    "PassiveAggressiveRegressor Perceptron PoissonRegressor QuantileRegressor RANSACRegressor Ridge RidgeCV "
    "RidgeClassifier RidgeClassifierCV SGDClassifier SGDOneClassSVM SGDRegressor SquaredEpsilonInsensitive "
    "SquaredHinge SquaredLoss TheilSenRegressor TweedieRegressor",
    "manifold": "ClassicalMDS Isomap LocallyLinearEmbedding MDS SpectralEmbedding TSNE",
    "mixture": "BayesianGaussianMixture GaussianMixture",
    "model_selection": "FixedThresholdClassifier GridSearchCV RandomizedSearchCV TunedThresholdClassifierCV",
    "multiclass": "OneVsOneClassifier OneVsRestClassifier OutputCodeClassifier",
    "multioutput": "ClassifierChain MultiOutputClassifier MultiOutputRegressor RegressorChain",
    "naive_bayes": "BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB",
    "neighbors": "KNeighborsClassifier KNeighborsRegressor KNeighborsTransformer KernelDensity LocalOutlierFactor "
    "NearestCentroid NearestNeighbors NeighborhoodComponentsAnalysis RadiusNeighborsClassifier "
    "RadiusNeighborsRegressor RadiusNeighborsTransformer",
    "neural_network": "BernoulliRBM MLPClassifier MLPRegressor",
    "pipeline": "FeatureUnion Pipeline",
    "preprocessing": "Binarizer FunctionTransformer KBinsDiscretizer KernelCenterer LabelBinarizer LabelEncoder "
    "MaxAbsScaler MinMaxScaler MultiLabelBinarizer Normalizer OneHotEncoder OrdinalEncoder PolynomialFeatures "
    "PowerTransformer QuantileTransformer RobustScaler SplineTransformer StandardScaler TargetEncoder",
    "random_projection": "GaussianRandomProjection SparseRandomProjection",
    "semi_supervised": "LabelPropagation LabelSpreading SelfTrainingClassifier",
    "svm": "LinearSVC LinearSVR NuSVC NuSVR OneClassSVM SVC SVR",
    "tree": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
}
_SKLEARN_TYPES = {package: frozenset(names.split()) for package, names in _SKLEARN.items()}


def _under(prefix: str, names: str) -> frozenset[str]:
    return frozenset(f"{prefix}.{name}" for name in names.split())


NUMPY_BIT_GENERATORS = _under("numpy.random", "MT19937 PCG64 PCG64DXSM Philox SFC64")

_NUMPY_UFUNCS = _under(
    "numpy",
    "absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_count bitwise_or "
    "bitwise_xor cbrt ceil conjugate copysign cos cosh deg2rad degrees divide divmod equal exp exp2 expm1 fabs "
    "float_power floor floor_divide fmax fmin fmod frexp gcd greater greater_equal heaviside hypot invert isfinite "
    "isinf isnan isnat lcm ldexp left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and "
    "logical_not logical_or logical_xor matmul matvec maximum minimum modf multiply negative nextafter not_equal "
    "positive power rad2deg radians reciprocal remainder right_shift rint sign signbit sin sinh spacing sqrt square "
    "subtract tan tanh trunc vecdot vecmat",
)
_SCIPY_UFUNCS = frozenset(
    f"{module}.{name}"
    for module in ("scipy.special", "scipy.special._ufuncs", "scipy.special._special_ufuncs")
    for name in [
        "boxcox",
        "boxcox1p",
        "cbrt",
        "erf",
        "erfc",
        "erfinv",
        "exp10",
        "exp2",
        "expit",
        "expm1",
        "gammaln",
        "inv_boxcox",
        "inv_boxcox1p",
        "log1p",
        "log_expit",
        "log_ndtr",
        "logit",
        "ndtr",
        "ndtri",
        "xlog1py",
        "xlogy",
    ]
)
_NUMPY_SCALARS = _under(
    "numpy",
    "bool bool_ bytes_ clongdouble complex128 complex64 datetime64 float16 float32 float64 int16 int32 int64 int8 "
    "longdouble longlong object_ str_ timedelta64 uint16 uint32 uint64 uint8 ulonglong void",
)
_SCIPY_SPARSE = re.compile(r"scipy\.sparse(\._\w+)?\.((bsr|coo|csc|csr|dia|dok|lil)_(matrix|array)|spmatrix|sparray)")

SKOPS_TYPES = (
    _NUMPY_SCALARS
    | _NUMPY_UFUNCS
    | _SCIPY_UFUNCS
    | _under("builtins", "bool bytearray bytes dict float int list map set slice str tuple")
    | _under("collections", "OrderedDict defaultdict")
    | _under("numpy", "dtype ndarray ma.MaskedArray random.mtrand.RandomState random._generator.Generator")
    | _under("numpy", "random.RandomState random.Generator")
)
"""Beside the estimators of scikit-learn and scipy's sparse matrices. A tree's nodes are not among them: their indices
are followed without a look at the bounds, so that skops itself does not hold them safe."""

PICKLE_GLOBALS = (
    SKOPS_TYPES
    | NUMPY_BIT_GENERATORS
    | _under("builtins", "complex frozenset object range")
    | _under(
        "__builtin__", "bool bytearray bytes complex dict float frozenset int list object set slice str tuple xrange"
    )
    | _under("copyreg", "_reconstructor")
    | _under("copy_reg", "_reconstructor")
    | _under("_codecs", "encode")  # how protocols 0 to 2 write bytes
    | _under("collections", "Counter deque")
    | _under("datetime", "date datetime time timedelta timezone")
    | frozenset({"decimal.Decimal", "fractions.Fraction", "uuid.UUID"})
    | frozenset(
        f"numpy.{core}.{name}"
        for core in ("core", "_core")
        for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
    )
    | _under("numpy.random._pickle", "__randomstate_ctor __generator_ctor __bit_generator_ctor")
    | _under("numpy.random._mt19937", "MT19937")
    | _under("numpy.random._pcg64", "PCG64 PCG64DXSM")
    | _under("numpy.random._philox", "Philox")
    | _under("numpy.random._sfc64", "SFC64")
    | _under("numpy.random.bit_generator", "SeedSequence __pyx_unpickle_SeedSequence")
    | _under("numpy.ma.core", "MaskedArray _mareconstruct")
    | frozenset({"joblib.numpy_pickle.NumpyArrayWrapper", "scipy.interpolate._interpolate.interp1d"})
    | _under("sklearn.tree._tree", "Tree")
    | _under("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor")
    | _under("sklearn.ensemble._gb_losses", "BinomialDeviance LeastSquaresError MultinomialDeviance")
    | _under("sklearn.utils._bunch", "Bunch")
    | _under("sklearn.gaussian_process.kernels", "ConstantKernel Matern Product RBF Sum WhiteKernel")
    | _under("sklearn.metrics._dist_metrics", "newObj EuclideanDistance EuclideanDistance64 ManhattanDistance64")
    | _under("sklearn.neighbors._kd_tree", "KDTree KDTree64 newObj")
    | _under("sklearn.neighbors._ball_tree", "BallTree BallTree64 newObj")
    | _under("sklearn._loss._loss", " ".join(f"__pyx_unpickle_{name}" for name in sorted(_SKLEARN_TYPES["_loss"])))
    | _under("xgboost.core", "Booster")
    | _under("xgboost.sklearn", "XGBClassifier XGBModel XGBRFClassifier XGBRFRegressor XGBRanker XGBRegressor")
    | _under("lightgbm.basic", "Booster")
    | _under("lightgbm.sklearn", "LGBMClassifier LGBMModel LGBMRanker LGBMRegressor")
    | _under("torch._utils", "_rebuild_parameter _rebuild_tensor _rebuild_tensor_v2 _rebuild_qtensor")
    | _under("torch._tensor", "_rebuild_from_type_v2")
    | _under("torch.nn.parameter", "Parameter Buffer")
    | _under("torch", "Size Tensor device")
    | _under("torch", "bfloat16 bool float16 float32 float64 int16 int32 int64 int8 uint8 complex64 complex128")
    | _under(
        "torch",
        "BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage ComplexFloatStorage DoubleStorage "
        "FloatStorage HalfStorage IntStorage LongStorage ShortStorage",
    )
    | _under("torch.storage", "UntypedStorage TypedStorage _LegacyStorage")
)
"""What an allowed pickle may name, beside scikit-learn's estimators and scipy's sparse matrices."""

TORCHSCRIPT_GLOBALS = frozenset(
    f"torch.jit._pickle.{name}"
    for name in (
        "build_boollist",
        "build_doublelist",
        "build_intlist",
        "build_tensor_from_id",
        "build_tensorlist",
        "restore_type_tag",
    )
)

CLOUDPICKLE_GLOBALS = _under(
    "cloudpickle.cloudpickle",
    "_builtin_type _class_setstate _cell_set _empty_cell_value _function_setstate _get_cell_contents _make_cell "
    "_make_empty_cell _make_function _make_skeleton_class _make_skeleton_enum _make_typevar subimport",
) | _under("types", "CellType CodeType FunctionType MethodType ModuleType")
"""How cloudpickle carries Python code by value: as code it is allowed where Python files are."""


def is_data_type(name: str) -> bool:
    """Tell whether ``name``, with its module, is an estimator of scikit-learn or a sparse matrix of scipy.

    Which private module of its package an estimator lies in differs between releases and is left open; an attribute of
    that name is the estimator in each of them.
    """
    parts = name.split(".")
    if parts[0] == "sklearn" and len(parts) > 2:
        return parts[-1] in _SKLEARN_TYPES.get(parts[1], ())
    return _SCIPY_SPARSE.fullmatch(name) is not None
