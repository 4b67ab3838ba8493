using System.Net.Sockets;

namespace VfioUser.Docs.Tests.Inspection;

/// <summary>The snippet and the dialogue of <c>docs/inspection.md</c>.</summary>
public class InspectionTests
{
    [Fact]
    public async Task A_server_with_an_inspection_socket_answers_as_the_document_says()
    {
        string inspection = $"@vfio-user-test-{Guid.NewGuid():N}";
        VfioUserServerOptions options = new() { Name = "card", InspectionPath = inspection };
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", options);
        using Socket inspector = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await inspector.ConnectAsync(new UnixDomainSocketEndPoint("\0" + inspection[1..]));
        await using NetworkStream stream = new(inspector);
        using StreamReader answers = new(stream);

        await stream.WriteAsync("{\"show\":\"irqs\"}\n{\"show\":\"everything\"}\n"u8.ToArray());

        (await answers.ReadLineAsync()).Should().Be("""{"irqs":[]}""");
        (await answers.ReadLineAsync()).Should().Be("""{"error":"show is one of server, registers, dma, irqs, refusals, counters"}""");
    }
}
