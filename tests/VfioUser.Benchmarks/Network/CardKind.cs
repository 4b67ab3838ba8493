using System.Net.NetworkInformation;
using E1000.Device;
using VfioUser.Network;
using VfioUser.Virtio;

namespace VfioUser.Benchmarks;

/// <summary>A network card that we have, and QEMU too.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="QemuDevice">QEMU's own.</param>
/// <param name="Module">The guest's driver for both.</param>
internal sealed record CardKind(string Name, string QemuDevice, string Module)
{
    public static readonly CardKind E1000 = new("e1000", "e1000", "e1000");

    public static readonly CardKind VirtioNet = new("virtio-net", "virtio-net-pci", "virtio_net");

    public static CardKind Named(string name) => string.Equals(name, E1000.Name, StringComparison.Ordinal) ? E1000 : VirtioNet;

    /// <summary>Of the lines in the guest's /proc/interrupts.</summary>
    public string InterruptsOf(int net) => this == E1000 ? $"net{net}$" : $"$(basename $(readlink -f /sys/class/net/net{net}/device))-";

    public PciDevice Create(PhysicalAddress address, TimeSpan delay, NetworkSwitch middle)
    {
        if (this == E1000)
        {
            NetworkCard card = new(new() { Address = address, TransmitInterruptDelay = delay });
            card.Plug(middle.Connect(card));
            return card;
        }
        VirtioNet device = new(new() { Address = address });
        device.Plug(middle.Connect(device));
        return device;
    }
}
