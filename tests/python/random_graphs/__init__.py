"""Random ONNX graphs whose results are known: core.py grows a graph node by node, the ops_*.py add nodes of every kind,
driver.py writes the graphs as cases, runs `pelton test` over them and tells what differs."""
