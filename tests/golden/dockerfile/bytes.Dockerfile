FROM x
RUN ÿþ  end
LABEL Ã±="â‚¬"