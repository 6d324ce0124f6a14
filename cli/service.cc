// agnocast service: the services of the domain.
//
// A service is a pair of topics, by the names that Agnocast for ROS 2 gives them: requests go to
// /AGNOCAST_SRV_REQUEST<service>, to which its server subscribes; answers come on
// /AGNOCAST_SRV_RESPONSE<service>_SEP_<client>.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <map>
#include <memory>
#include <string_view>

#include "commands.hpp"

namespace cli {
namespace {

using agnocast::Value;

constexpr std::string_view request_prefix = "/AGNOCAST_SRV_REQUEST";

struct Service
{
  std::string type;  ///< of the requests
  std::uint64_t servers = 0, clients = 0;
};

std::map<std::string, Service> find_services()
{
  const agnocast::DomainSnapshot domain = agnocast::DomainView().snapshot();
  std::map<std::string, Service> services;
  for (const agnocast::EndpointInfo& endpoint : domain.endpoints) {
    const agnocast::TopicInfo& topic = domain.topics[endpoint.topic];
    if (topic.name.rfind(request_prefix, 0) != 0 || topic.name.size() == request_prefix.size()) {
      continue;
    }
    Service& service = services[topic.name.substr(request_prefix.size())];
    service.type = topic.type;
    (endpoint.is_publisher ? service.clients : service.servers) += 1;
  }
  return services;
}

void list(bool with_types, bool count_only, Format format)
{
  const std::map<std::string, Service> services = find_services();
  if (count_only) {
    print(std::to_string(services.size()) + "\n");
    return;
  }
  std::string text;
  std::vector<Value> documents;
  for (const auto& [name, service] : services) {
    text += name + (with_types ? " [" + service.type + "]" : "") + "\n";
    documents.push_back(Value::of_mapping({{"name", Value::of_string(name)},
                                           {"request_type", Value::of_string(service.type)},
                                           {"servers", number(service.servers)},
                                           {"clients", number(service.clients)}}));
  }
  print(format == Format::text ? text
                               : document_text(Value::of_sequence(std::move(documents)), format));
}

}  // namespace

void add_service(CLI::App& app, const Options& options)
{
  CLI::App& service = *app.add_subcommand("service", "Services");
  service.require_subcommand(1);
  CLI::App* const command =
    service.add_subcommand("list", "The services that somebody offers or asks for");
  const auto with_types = std::make_shared<bool>(false);
  const auto count_only = std::make_shared<bool>(false);
  command->add_flag("-t,--show-types", *with_types, "With the types of their requests");
  command->add_flag("-c,--count-services", *count_only, "Only how many there are");
  command->callback(
    [with_types, count_only, &options] { list(*with_types, *count_only, options.format); });
}

}  // namespace cli
