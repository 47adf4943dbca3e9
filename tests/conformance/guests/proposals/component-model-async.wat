;; Has a stream.
(component (component (type (stream u8))))
