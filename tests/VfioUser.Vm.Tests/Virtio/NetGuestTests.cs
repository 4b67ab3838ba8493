using System.Globalization;
using E1000.Device;
using FluentAssertions;
using VfioUser.Network;
using VfioUser.Virtio;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>Network devices under Linux's virtio_net, in two guests.</summary>
public class NetGuestTests
{
    // 256 MiB take minutes where guests are emulated: they are for the longer run
    private static readonly int Mebibytes = Environment.GetEnvironmentVariable("VFIO_USER_VM_ALL_STEPS") is "1" ? 256 : 64;

    [VmTheory]
    [InlineData(true, 1, PortOffloads.All)]
    [InlineData(false, 2, PortOffloads.All)]
    [InlineData(true, 2, PortOffloads.None)]
    public async Task Two_guests_move_data_by_TCP_both_ways(bool isPacked, int pairs, PortOffloads offloads)
    {
        VirtioNet[] devices = Devices(2, new() { OffersPackedQueues = isPacked, QueuePairs = pairs, Offloads = offloads });
        await using NetGuests guests = await NetGuests.Start(devices, ["virtio_net"], processors: pairs);
        (await guests.Machines[1].Output("cat /sys/class/net/eth0/address")).Should().Be("52:54:00:f1:00:01");
        await guests.Ping(0);
        await guests.Ping(1, size: 1400);

        await guests.Transfer(from: 0, Mebibytes);
        await guests.Transfer(from: 1, Mebibytes / 4);

        ((VirtioFeatures)devices[0].Features).HasFlag(VirtioFeatures.RingPacked).Should().Be(isPacked);
        (await guests.Machines[0].Output("ls -d /sys/class/net/eth0/queues/tx-* | wc -l")).Should().Be($"{pairs}");
        VirtioNetStatistics sent = devices[0].Statistics;
        VirtioNetStatistics received = devices[1].Statistics;
        (sent.SendErrors, received.ReceiveDrops).Should().Be((0, 0));
        (sent.BytesSent / sent.FramesSent > 1600).Should().Be(offloads != PortOffloads.None, "segments pass uncut, if they may");
        await guests.PowerOff();
    }

    [VmFact]
    public async Task Driver_follows_link_filters_reload_reboot_and_offloads_that_change()
    {
        VirtioNet[] devices = Devices(2, new() { Mtu = 9000 });
        await using NetGuests guests = await NetGuests.Start(devices, ["virtio_net", "8021q"]);
        VirtualMachine machine = guests.Machines[0];
        (await machine.Output("cat /sys/class/net/eth0/mtu; cat /sys/class/net/eth0/speed")).Should().Be("9000\n10000");
        await guests.Ping(0, size: 8900);

        for (int i = 0; i < 3; i++)
        {
            devices[0].IsLinkUp = false;
            await guests.WaitForCarrier(0, isUp: false);
            devices[0].IsLinkUp = true;
            await guests.Ping(0);
        }

        foreach (VirtualMachine each in guests.Machines)
            await each.Output("ip link add link eth0 name eth0.7 type vlan id 7");
        await guests.Machines[0].Output("ip addr add 10.7.0.1/24 dev eth0.7 && ip link set eth0.7 up");
        await guests.Machines[1].Output("ip addr add 10.7.0.2/24 dev eth0.7 && ip link set eth0.7 up");
        (await machine.Output("ping -c 3 -A -W 20 10.7.0.2")).Should().Contain(" 0% packet loss");

        await machine.Output("ip link set eth0 down; ip link set eth0 address 52:54:00:f1:00:77 && ip link set eth0 up");
        // which tells the other one of the new address
        await guests.Ping(0);
        await guests.Ping(1);
        await machine.Output("ethtool -K eth0 tso off gso off tx off rx off gro off || true");
        await guests.Transfer(from: 0, 4);
        await guests.Transfer(from: 1, 4);

        await machine.Output("rmmod virtio_net && insmod /modules/virtio_net.ko*");
        await guests.Configure(0);
        await guests.Ping(0);
        await machine.Reboot();
        await guests.Configure(0);
        await guests.Ping(0);
        await guests.Ping(1);
        await guests.PowerOff();
    }

    [VmFact]
    public async Task Ethtool_sets_key_table_and_fields_of_receive_side_scaling()
    {
        const string key = "6d:5a:56:da:25:5b:0e:c2:41:67:25:3d:43:a3:8f:b0:d0:ca:2b:cb:ae:7b:30:b4:77:cb:2d:a3:80:30:f2:0c:6a:42:b7:3b:be:ac:01:fa";
        VirtioNet[] devices = Devices(2, new() { QueuePairs = 2, OffersRss = true, OffersHashReports = true });
        await using NetGuests guests = await NetGuests.Start(devices, ["virtio_net"], processors: 2);
        VirtualMachine machine = guests.Machines[0];
        (await machine.Output("ethtool -x eth0")).Should().Contain("with 2 RX ring(s)").And.Contain("toeplitz: on");
        await guests.Transfer(from: 1, 4);

        await machine.Output($"ethtool -K eth0 rxhash on && ethtool -X eth0 hkey {key} weight 0 1 && ethtool -N eth0 rx-flow-hash udp4 sd");
        int before = await InterruptsOf(machine, "input.1");
        await guests.Ping(0);

        (await InterruptsOf(machine, "input.1")).Should().BeGreaterThan(before);
        (await machine.Output("ethtool -x eth0")).Should().Contain(key).And.MatchRegex(@"\b120:(\s+1){8}\b");
        (await machine.Output("ethtool -n eth0 rx-flow-hash udp4")).Should().NotContain("L4");
        await guests.Transfer(from: 1, 4);
        await guests.Transfer(from: 0, 4);
        await guests.PowerOff();
    }

    [VmFact]
    public async Task Guest_with_virtio_net_and_one_with_e1000_share_a_switch()
    {
        NetworkSwitch middle = new();
        VirtioNet virtio = new(new() { Address = NetGuests.AddressOf(0) });
        NetworkCard card = new(new() { Address = NetGuests.AddressOf(1) });
        virtio.Plug(middle.Connect(virtio));
        card.Plug(middle.Connect(card));
        await using NetGuests guests = await NetGuests.Start([virtio, card], ["virtio_net", "e1000"]);

        await guests.Ping(0);
        await guests.Ping(1);
        await guests.Transfer(from: 0, 16);
        await guests.Transfer(from: 1, 16);

        virtio.Statistics.BytesSent.Should().BeGreaterThan(1600 * virtio.Statistics.FramesSent, "the guest leaves segments to be cut, and the switch cuts them");
        await guests.PowerOff();
    }

    private static async Task<int> InterruptsOf(VirtualMachine machine, string queue) => int.Parse(
        await machine.Output($"awk '/virtio[0-9]*-{queue}$/ {{ print $2 + $3 }}' /proc/interrupts"), CultureInfo.InvariantCulture);

    private static VirtioNet[] Devices(int count, VirtioNetOptions options)
    {
        NetworkSwitch middle = new();
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            VirtioNet device = new(options with { Address = NetGuests.AddressOf(i) });
            device.Plug(middle.Connect(device));
            return device;
        })];
    }
}
