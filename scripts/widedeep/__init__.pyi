from widedeep.analysis.block_structure import find_block as find_block
from widedeep.measures.cka import MinibatchCKA as MinibatchCKA
from widedeep.measures.cka import cka as cka
from widedeep.measures.layer_similarity import layer_cka as layer_cka
from widedeep.measures.layer_similarity import layer_similarity as layer_similarity
from widedeep.measures.result import LayerSimilarity as LayerSimilarity

__version__: str
