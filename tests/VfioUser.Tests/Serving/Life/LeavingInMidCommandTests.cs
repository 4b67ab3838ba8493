using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>A client that has gone when its command is done: nobody is there to take the reply.</summary>
public sealed class LeavingInMidCommandTests
{
    public static TheoryData<string, Command> Cases => new()
    {
        { "mapped 0x1000", Command.DmaMap },
        { "unmapping 0x1000", Command.DmaUnmap },
        { "reset by ClientRequested", Command.DeviceReset },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_command_completes_its_memory_is_unmapped_and_the_next_client_is_served(string when, Command command)
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        if (command == Command.DmaUnmap)
            client.Ask(Command.DmaMap, Map()).ShouldBeGranted();
        served.Device.Happened = what =>
        {
            if (string.Equals(what, when, StringComparison.Ordinal))
                client.Dispose();
        };

        Say(client, command);

        served.Device.ShouldTell(when);
        served.Device.ShouldTell("detached");
        served.Device.Dma.Regions.Should().BeEmpty();
        using RawClient next = served.Attach();
        next.ShouldBeServed();
        next.Ask(Command.DmaMap, Map()).ShouldBeGranted();
    }

    [Fact]
    public void The_same_while_a_region_is_read()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        served.Device.Read = (_, destination) =>
        {
            client.Dispose();
            destination.Fill(1);
        };

        client.Say(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4));

        served.Device.ShouldTell("detached");
        served.Device.Read = null;
        using RawClient next = served.Attach();
        next.ShouldBeServed();
    }

    private static DmaMap Map() => new(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000);

    private static void Say(RawClient client, Command command)
    {
        switch (command)
        {
            case Command.DmaMap:
                client.Say(command, Map());
                break;
            case Command.DmaUnmap:
                client.Say(command, new DmaUnmap(DmaUnmap.WireSize, 0, 0x1000, 0x1000));
                break;
            default:
                client.Say(command);
                break;
        }
    }
}
