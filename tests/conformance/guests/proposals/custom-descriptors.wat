;; Describes its types by values.
(component
  (core module
    (rec
      (type $a (descriptor $b) (struct))
      (type $b (describes $a) (struct)))))
