"""Short tables in many languages, with the encodings in which programs of those countries write them."""

TABLES = {
    "Japanese": (
        ["cp932", "euc_jp", "iso2022_jp"],
        "日付,氏名,メッセージ\n2026/12/03,高橋 健太,訪問記録を保存できませんでした。権限がありません\n"
        "2026/12/04,山本 美咲,同期がタイムアウトしました\n",
    ),
    "Chinese, simplified": (
        ["gb18030", "gbk"],
        "日期,姓名,消息\n2026-12-03,赵建国,无法保存该客户:必填字段为空\n2026-12-04,刘洋,与服务器的连接已断开,请重试\n",
    ),
    "Chinese, traditional": (
        ["cp950", "big5"],
        "日期,姓名,訊息\n2026-12-03,黃淑芬,無法儲存該客戶:必填欄位為空白\n2026-12-04,張家豪,與伺服器的連線已中斷,請重試\n",
    ),
    "Korean": (
        ["cp949", "euc_kr"],
        "날짜,이름,메시지\n2026-12-03,박지훈,필수 항목이 비어 있어 저장할 수 없습니다\n"
        "2026-12-04,최수진,서버 응답 시간이 초과되었습니다\n",
    ),
    "Russian": (
        ["cp1251", "koi8_r", "cp866", "iso8859_5"],
        "Дата;Имя;Сообщение\n03.12.2026;Кузнецова Ольга;Превышено время ожидания ответа сервера\n"
        "04.12.2026;Смирнов Андрей;Не заполнено обязательное поле\n",
    ),
    "Ukrainian": (
        ["cp1251", "koi8_u"],
        "Дата;Ім'я;Повідомлення\n03.12.2026;Коваленко Юлія;Обов'язкове поле не заповнено\n"
        "04.12.2026;Мельник Їжак;Сервер не відповів вчасно\n",
    ),
    "Bulgarian": (
        ["cp1251"],
        "Дата;Име;Съобщение\n03.12.2026;Георгиева Елена;Нямате права да промените този запис\n"
        "04.12.2026;Димитров Иван;Връзката със сървъра е прекъсната\n",
    ),
    "Polish": (
        ["cp1250", "iso8859_2"],
        "Dzień;Imię;Komunikat\n03.12.2026;Paweł Jabłoński;Pole wymagane jest puste\n"
        "04.12.2026;Małgorzata Zięba;Przekroczono czas oczekiwania na odpowiedź\n",
    ),
    "Czech": (
        ["cp1250", "iso8859_2"],
        "Den;Jméno;Hlášení\n03.12.2026;Tomáš Růžička;Povinné pole není vyplněno\n"
        "04.12.2026;Lenka Křížová;Vypršel časový limit serveru\n",
    ),
    "Slovak": (
        ["cp1250", "iso8859_2"],
        "Deň;Meno;Hlásenie\n03.12.2026;Ľubomír Štefánik;Povinné pole je prázdne\n"
        "04.12.2026;Žofia Kováčová;Spojenie so serverom bolo prerušené, skúste znova neskôr\n",
    ),
    "Hungarian": (
        ["cp1250", "iso8859_2"],
        "Nap;Név;Hiba\n03.12.2026;Fekete Ödön;A kötelező mező üres\n"
        "04.12.2026;Kőszegi Réka;Időtúllépés a kiszolgálón\n",
    ),
    "Croatian": (
        ["cp1250", "iso8859_2"],
        "Dan;Ime;Poruka\n03.12.2026;Željko Marković;Obavezno polje je prazno\n"
        "04.12.2026;Mia Đurić;Veza s poslužiteljem je prekinuta, pokušajte kasnije\n",
    ),
    "German": (
        ["cp1252", "iso8859_1", "mac_roman", "cp850"],
        "Tag;Name;Meldung\n03.12.2026;Günther Weiß;Pflichtfeld Straße ist leer\n"
        "04.12.2026;Bärbel Köhler;Der Datensatz wurde zwischenzeitlich geändert\n",
    ),
    "French": (
        ["cp1252", "iso8859_15", "mac_roman", "cp850"],
        "Jour;Nom;Message\n03/12/2026;Gaëlle Rémy;Le champ obligatoire n'est pas renseigné\n"
        "04/12/2026;Jérôme Béranger;Délai d'attente dépassé, veuillez réessayer plus tard\n",
    ),
    "Spanish": (
        ["cp1252", "iso8859_1", "mac_roman"],
        "Día;Nombre;Mensaje\n03/12/2026;Ramón Ibáñez;El campo obligatorio está vacío\n"
        "04/12/2026;Nuria Peña;Se agotó el tiempo de espera de la conexión\n",
    ),
    "Portuguese": (
        ["cp1252", "iso8859_1"],
        "Dia;Nome;Mensagem\n03/12/2026;João Gonçalves;O campo obrigatório não foi preenchido\n"
        "04/12/2026;Conceição Araújo;A ligação ao servidor foi interrompida às 9 horas\n",
    ),
    "Italian": (
        ["cp1252", "iso8859_1"],
        "Giorno;Nome;Messaggio\n03/12/2026;Niccolò Forlì;Non è possibile salvare: il campo è vuoto\n"
        "04/12/2026;Libertà Però;La connessione è caduta perché il server è già occupato\n",
    ),
    "Swedish": (
        ["cp1252", "iso8859_1"],
        "Dag;Namn;Meddelande\n2026-12-03;Åsa Sjöström;Det obligatoriska fältet är tomt\n"
        "2026-12-04;Björn Öberg;Tidsgränsen för servern har överskridits\n",
    ),
    "Danish": (
        ["cp1252", "iso8859_1"],
        "Dag;Navn;Besked\n03-12-2026;Søren Kjær;Du må ikke ændre dette besøg\n"
        "04-12-2026;Åse Østergård;Forbindelsen blev afbrudt, prøv igen på et senere tidspunkt\n",
    ),
    "Turkish": (
        ["cp1254", "iso8859_9"],
        "Gün;İsim;İleti\n03.12.2026;Gülşen Karadağ;Zorunlu alan boş bırakıldı\n"
        "04.12.2026;İbrahim Şahin;Sunucu zamanında yanıt vermedi\n",
    ),
    "Greek": (
        ["cp1253", "iso8859_7"],
        "Ημέρα;Όνομα;Κείμενο\n03/12/2026;Ελένη Δημητρίου;Το υποχρεωτικό πεδίο είναι κενό\n"
        "04/12/2026;Κώστας Αντωνίου;Έληξε ο χρόνος αναμονής του διακομιστή\n",
    ),
    "Hebrew": (
        ["cp1255", "iso8859_8"],
        "יום,שם,טקסט\n03/12/2026,יעל מזרחי,שדה החובה ריק\n04/12/2026,אבי פרץ,השרת לא הגיב בזמן\n",
    ),
    "Arabic": (
        ["cp1256"],
        "اليوم,الاسم,النص\n03/12/2026,خالد يوسف,الحقل المطلوب فارغ\n04/12/2026,مريم سعيد,انتهت مهلة الخادم\n",
    ),
    "Thai": (
        ["cp874"],
        "วัน,ชื่อ,รายละเอียด\n03/12/2026,อนันต์ ศรีสุข,ช่องที่จำเป็นว่างเปล่า\n04/12/2026,มาลี วงศ์ดี,เซิร์ฟเวอร์ไม่ตอบสนอง\n",
    ),
    "Lithuanian": (
        ["cp1257"],
        "Diena;Vardas;Žinutė\n2026-12-03;Rūta Žukauskienė;Privalomas laukas tuščias\n"
        "2026-12-04;Ąžuolas Petrauskas;Baigėsi serverio laukimo laikas, mėginkite vėliau\n",
    ),
    "Latvian": (
        ["cp1257"],
        "Diena;Vārds;Ziņojums\n2026-12-03;Jānis Bērziņš;Obligātais lauks ir tukšs\n"
        "2026-12-04;Līga Kļaviņa;Savienojums ar serveri tika pārtraukts, mēģiniet vēlāk\n",
    ),
}
