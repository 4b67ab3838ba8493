namespace VfioUser.Tests;

public sealed class RunConsoleTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vfio-user-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_program_serves_until_it_is_cancelled_and_leaves_no_socket()
    {
        string path = Path.Combine(_folder, "card.sock");
        using BlankDevice device = new();
        using CancellationTokenSource stop = new();

        Task<int> program = VfioUserServer.RunConsoleAsync(path, device, cancellation: stop.Token);
        using (Client.VfioUserClient client = Client.VfioUserClient.Connect(path))
            client.Version.Should().NotBeNull();
        await stop.CancelAsync();

        (await program.WaitAsync(Background.Timeout)).Should().Be(0);
        File.Exists(path).Should().BeFalse();
    }

    [Fact]
    public async Task A_path_that_is_taken_is_exit_code_1()
    {
        string path = Path.Combine(_folder, "card.sock");
        using VfioUserServer other = VfioUserServer.Bind(path);
        using BlankDevice device = new();

        (await VfioUserServer.RunConsoleAsync(path, device)).Should().Be(1);

        File.Exists(path).Should().BeTrue("it is the other server's");
    }

    [Theory]
    [InlineData("/run/vm/card.sock", """-device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"/run/vm/card.sock"}}'""")]
    [InlineData("/tmp/it's \"it\".sock", """-device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"/tmp/it'\''s \"it\".sock"}}'""")]
    public void Arguments_for_qemu_are_quoted_for_json_and_for_the_shell(string path, string arguments) =>
        VfioUserServer.QemuArgumentsFor(path).Should().Be(arguments);

    [Fact]
    public void An_abstract_name_is_one_for_qemu_too()
    {
        string name = $"vfio-user-test-{Guid.NewGuid():N}";
        using VfioUserServer server = VfioUserServer.BindAbstract(name);

        server.QemuArguments.Should().Be($$$"""-device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"{{{name}}}","abstract":true}}'""");
    }

    [Fact]
    public void A_server_without_an_address_has_no_arguments_for_qemu()
    {
        (System.Net.Sockets.SafeSocketHandle ours, System.Net.Sockets.SafeSocketHandle theirs) = Protocol.Interop.SocketCalls.CreatePair();
        using (theirs)
        using (VfioUserServer server = VfioUserServer.FromConnected(ours))
            server.Invoking(it => it.QemuArguments).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public async Task A_name_after_an_at_sign_is_in_the_abstract_namespace()
    {
        string address = $"@vfio-user-test-{Guid.NewGuid():N}";
        using BlankDevice device = new();
        using CancellationTokenSource stop = new();

        Task<int> program = VfioUserServer.RunConsoleAsync(address, device, cancellation: stop.Token);
        using (Client.VfioUserClient client = Client.VfioUserClient.Connect(address))
            client.Version.Should().NotBeNull();
        await stop.CancelAsync();

        (await program.WaitAsync(Background.Timeout)).Should().Be(0);
    }

    [Fact]
    public async Task A_path_that_cannot_be_is_exit_code_1()
    {
        using BlankDevice device = new();

        (await VfioUserServer.RunConsoleAsync(Path.Combine(_folder, new string('x', 200)), device)).Should().Be(1);
        (await VfioUserServer.RunConsoleAsync(_folder, device)).Should().Be(1);
        (await VfioUserServer.RunConsoleAsync("", device)).Should().Be(1);
        FluentActions.Invoking(() => VfioUserServer.Listen(new string('x', 108), new())).Should().Throw<IOException>()
            .WithMessage("A socket's path has at most 107 bytes, and 'xxx*xxx' has 108.");
    }

    [Fact]
    public void The_path_and_its_length_are_in_the_error()
    {
        FluentActions.Invoking(() => VfioUserServer.Bind(new string('x', 108))).Should().Throw<ArgumentException>().WithMessage("*at most 107 bytes*xxx' has 108.*");
        FluentActions.Invoking(() => VfioUserServer.Bind(_folder)).Should().Throw<IOException>().WithMessage($"*{_folder}*is a folder*");
    }
}
