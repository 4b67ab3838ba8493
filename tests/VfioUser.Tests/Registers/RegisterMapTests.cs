using System.Text.Json;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>The region that carries the names of registers.</summary>
public class RegisterMapTests
{
    private const uint Index = 9;

    private static readonly TestGuestOptions WithMap = new() { Server = new VfioUserServerOptions { RegisterMap = true } };

    private enum Mode : byte
    {
        Idle,
        Fast = 2,
        Beyond = 9,
    }

    [Fact]
    public void The_map_is_a_read_only_region_after_those_of_the_device()
    {
        using TestGuest guest = TestGuest.Attach(new OddDevice(device =>
        {
            device.Bar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0, new() { Name = "CTRL" });
            device.Own(2, 1, 0x100);
        }), WithMap);

        guest.Client.GetDeviceInfo().RegionCount.Should().Be(11);
        using ClientRegion map = guest.Client.GetRegionInfo(10);
        map.Type.Should().Be(new RegionType(0x8000_1B36, 0x5265_674D));
        map.Info.Flags.Should().Be(RegionFlags.Read | RegionFlags.Caps);
        guest.Client.Invoking(client => client.WriteRegion(10, 0, [1])).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void Registers_stand_in_the_map_with_fields_members_and_what_accesses_do()
    {
        using TestGuest guest = TestGuest.Attach(new BlankDevice(device =>
        {
            Bar bar = device.AddBar(0, BarKind.Memory32, 0x1000);
            Register<ushort> control = bar.AddRegister<ushort>(8, new() { Name = "CTRL", Description = "Starts \"it\".", WriteOneToClear = 0x8000 });
            control.AddField<Mode>(4, 2, "MODE");
            control.AddFlag(0, "EN", RegisterAccess.WriteOnly);
            device.Config.AddBlock(0x40, "VND").AddRegister<byte>(0, new() { Name = "TEST", Access = RegisterAccess.ReadToClear });
        }), WithMap);

        string map = Read(guest);

        map.Should().Be("""
            {"version":1,"registers":[
            {"name":"CTRL","region":0,"offset":8,"width":2,"access":"RW, WO, W1C","description":"Starts \u0022it\u0022.","writeOneToClear":32768,"writeOnly":1,"fields":[
            {"name":"EN","bit":0,"width":1,"access":"WO"},
            {"name":"MODE","bit":4,"width":2,"access":"RW","members":{"Idle":0,"Fast":2}}]},
            {"name":"VND.TEST","region":7,"offset":64,"width":1,"access":"RC","readToClear":255}]}
            """.ReplaceLineEndings(""));
    }

    [Fact]
    public void There_is_no_map_unless_the_server_has_the_option_and_the_device_registers()
    {
        BlankDevice device = new(device => device.AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0));
        using (TestGuest guest = TestGuest.Attach(device))
            guest.Client.GetDeviceInfo().RegionCount.Should().Be(9);
        using (TestGuest guest = TestGuest.Attach(new BlankDevice(device => device.AddBar(0, BarKind.Memory32, 0x1000)), WithMap))
            guest.Client.GetDeviceInfo().RegionCount.Should().Be(9);
    }

    [Fact]
    public void A_device_that_is_served_again_has_one_map_and_without_the_option_none()
    {
        string path = Path.Combine(Path.GetTempPath(), $"vfio-user-map-{Guid.NewGuid():N}.sock");
        using BlankDevice device = new(device => device.AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0));

        RegionsOf(new VfioUserServerOptions { RegisterMap = true }).Should().Be(10);
        RegionsOf(new VfioUserServerOptions { RegisterMap = true }).Should().Be(10);
        RegionsOf(new VfioUserServerOptions()).Should().Be(9);

        uint RegionsOf(VfioUserServerOptions options)
        {
            using VfioUserServer server = VfioUserServer.Bind(path, options);
            Task run = server.RunAsync(device);
            uint count;
            using (VfioUserClient client = VfioUserClient.Connect(path))
                count = client.GetDeviceInfo().RegionCount;
            server.Dispose();
            run.Wait(Background.Timeout).Should().BeTrue();
            return count;
        }
    }

    [Fact]
    public void Registers_that_do_not_fit_into_the_map_are_counted()
    {
        const int Count = 20_000;
        using TestGuest guest = TestGuest.Attach(new BlankDevice(device =>
            device.AddBar(0, BarKind.Memory32, 0x20000).AddRegisters<uint>(0, Count, new() { Name = "TABLE" })), WithMap);

        string map = Read(guest);

        map.Length.Should().BeInRange(1_000_000, 1 << 20);
        using JsonDocument json = JsonDocument.Parse(map);
        int listed = json.RootElement.GetProperty("registers").GetArrayLength();
        json.RootElement.GetProperty("omitted").GetInt32().Should().Be(Count - listed).And.BePositive();
    }

    [Fact]
    public void A_migration_stream_has_nothing_of_the_map()
    {
        byte[] with = Saved(WithMap);
        byte[] without = Saved(new TestGuestOptions());

        with.Should().Equal(without);

        static byte[] Saved(TestGuestOptions options)
        {
            BlankDevice device = new(device =>
            {
                device.AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0, new() { Name = "CTRL" });
                device.EnableMigration();
            });
            using TestGuest guest = TestGuest.Attach(device, options);
            return guest.Migration.Save();
        }
    }

    private static string Read(TestGuest guest)
    {
        using ClientRegion map = guest.Client.GetRegionInfo(Index);
        byte[] bytes = new byte[map.Size];
        for (int at = 0; at < bytes.Length; at += 0x10000)
            guest.Client.ReadRegion(Index, (ulong)at, bytes.AsSpan(at, Math.Min(0x10000, bytes.Length - at)));
        return System.Text.Encoding.UTF8.GetString(bytes);
    }
}
