FROM debian
RUN apt-get update
RUN apt-get -y install ssh vim
COPY ./app /app
