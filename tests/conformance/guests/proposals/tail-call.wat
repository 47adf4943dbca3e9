;; Recurses without end and without a stack.
(component (core module (func $again (return_call $again))))
