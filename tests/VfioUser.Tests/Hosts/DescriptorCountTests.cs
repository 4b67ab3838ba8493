using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Hosts;

/// <summary>The descriptors and threads of an attached, idle device, as docs/polling.md lists them.</summary>
[Collection(OpenFds.Name)]
public sealed class DescriptorCountTests
{
    [Theory]
    [InlineData(0, 3)] // listening socket, client, wakeup of the listener thread
    [InlineData(1, 2)] // listening socket, client
    public void An_attached_device_holds_as_many_descriptors_as_documented(int threads, int documented)
    {
        using VfioUserHost host = new(new VfioUserHostOptions { Threads = threads });
        using RawClient first = Attach(host); // also opens what devices share
        first.ShouldBeServed();
        OpenFds before = OpenFds.Now();

        using RawClient client = Attach(host);
        client.ShouldBeServed();

        before.More().Where(target => !target.StartsWith("/memfd:", StringComparison.Ordinal)) // the device's own memory
            .Should().HaveCount(documented + 1, "the client's end is in this process, too");
    }

    [Fact]
    public void An_attached_device_has_two_threads_of_its_own_as_documented()
    {
        using VfioUserHost host = new();
        using RawClient first = Attach(host);
        Dictionary<string, int> before = Threads();

        using RawClient client = Attach(host);

        Threads().SelectMany(thread => Enumerable.Repeat(thread.Key, thread.Value - before.GetValueOrDefault(thread.Key)))
            .Should().BeEquivalentTo("vfio-user comma", "vfio-user liste");
    }

    private static RawClient Attach(VfioUserHost host)
    {
        HostedDevice device = host.Add(new ProbeDevice(), VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}"));
        RawClient client = RawClient.Connect(device.Address);
        Served.Negotiate(client, Served.QemuProposal);
        client.ShouldBeServed();
        return client;
    }

    // The kernel keeps the first 15 characters of a name.
    private static Dictionary<string, int> Threads()
    {
        Dictionary<string, int> counts = [];
        foreach (string task in Directory.GetDirectories("/proc/self/task"))
        {
            string name = File.ReadAllText(Path.Combine(task, "comm")).Trim();
            if (name.StartsWith("vfio-user", StringComparison.Ordinal))
                counts[name] = counts.GetValueOrDefault(name) + 1;
        }
        return counts;
    }
}
